/// A JSON text as one line of NDJSON: line breaks, which can only stand between its tokens
/// (RFC 8259 2), are spaces, and one comes behind it.
package func jsonLine(_ text: [UInt8]) -> [UInt8] {
    let (lineFeed, carriageReturn) = (UInt8(ascii: "\n"), UInt8(ascii: "\r"))
    var line = text
    line.reserveCapacity(text.count + 1)
    for index in line.indices where line[index] == lineFeed || line[index] == carriageReturn {
        line[index] = UInt8(ascii: " ")
    }
    line.append(lineFeed)
    return line
}
