internal import SluiceClient

/// Where the lines of a file end that `sluice subscribe --json` printed.
///
/// A line that broke off counts as not printed, also if another run went on behind it.
///
/// - Throws: When the file can't be read, or no line of it is a message.
func printedPosition(path: String) throws(CommandFailure) -> SubscriptionPosition {
    let input = try InputFile(path: path)
    var splitter = LineSplitter()
    var position = SubscriptionPosition()
    var (messages, others) = (0, 0)
    while true {
        let piece = try input.read()
        if piece.isEmpty { break }
        for line in splitter.take(piece) {
            if position.received(line) { messages += 1 } else { others += 1 }
        }
    }
    guard messages > 0 || others == 0 else {
        throw CommandFailure(
            .failed, "\(input.name) has \(others) lines, and none is a broker's message.",
            remedy: "Give a file of lines that 'sluice subscribe --json' printed.")
    }
    return position
}
