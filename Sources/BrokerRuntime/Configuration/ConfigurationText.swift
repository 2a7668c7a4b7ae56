internal import EventModel

/// One `key = value` of a configuration file.
struct ConfigurationEntry: Equatable {
    var name: String
    var value: String
    /// Counted from 1.
    var line: Int
}

/// Reads a configuration file: `key = value` lines; `#` begins a comment at a line's start or
/// behind white space.
///
/// - Throws: What is wrong, with the line's number and never its text: it may hold (a part of) a
///   secret.
func parseConfiguration(
    _ text: String, path: String
) throws(ConfigurationError) -> [ConfigurationEntry] {
    var entries: [ConfigurationEntry] = []
    let lines = text.split(omittingEmptySubsequences: false) { $0.isNewline }
    for (index, line) in lines.enumerated() {
        let content = trimmed(withoutComment(line))
        if content.isEmpty { continue }
        guard let equals = content.firstIndex(of: "=") else {
            throw ConfigurationError(
                "\(path):\(index + 1): the line is not of the form 'key = value'.",
                remedy: "Write one 'key = value' a line; '#' begins a comment.")
        }
        let name = String(trimmed(content[..<equals]))
        if let first = entries.first(where: { $0.name == name }) {
            throw ConfigurationError(
                "\(path):\(index + 1): the key was set in line \(first.line) already.",
                remedy: "Remove one of the two lines; lists are comma-separated.")
        }
        let value = String(trimmed(content[content.index(after: equals)...]))
        entries.append(ConfigurationEntry(name: name, value: value, line: index + 1))
    }
    return entries
}

/// A `#` inside a value, as in a URL, is part of it.
private func withoutComment(_ line: Substring) -> Substring {
    var previous: Character = " "
    for index in line.indices {
        if line[index] == "#", previous == " " || previous == "\t" { return line[..<index] }
        previous = line[index]
    }
    return line
}
