internal import EventModel
internal import SluiceClient

/// A refusal of a filter, with the place in it at which it goes wrong; other errors stay as they are.
func showing(_ error: any Error, in filter: String?) -> any Error {
    guard let filter, let refusal = error as? SluiceError, let byte = refusal.byte,
        refusal.code == ErrorCode.invalidFilter.rawValue, var failure = CommandFailure(refusal)
    else { return error }
    failure.message += "\n" + markedText(filter, byte: byte)
    return failure
}

/// The text, cut around a byte if it is long, and a mark below that byte.
func markedText(_ text: String, byte: Int) -> String {
    let place = text.utf8.index(text.startIndex, offsetBy: byte, limitedBy: text.endIndex)
    let (before, after) = (text[..<(place ?? text.endIndex)], text[(place ?? text.endIndex)...])
    var left = Table.printable(String(before))
    if left.count > 48 { left = "…" + left.suffix(47) }
    var right = Table.printable(String(after))
    if right.count > 24 { right = right.prefix(23) + "…" }
    return "  \(left)\(right)\n  \(String(repeating: " ", count: left.count))^"
}
