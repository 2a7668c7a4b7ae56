internal import Glibc

/// A question before something is destroyed.
enum Confirmation {
    /// Asks on the terminal.
    ///
    /// - Parameters:
    ///   - question: What is going to happen.
    ///   - isTerminal: Whether somebody is there to answer.
    ///   - answer: Reads a line.
    /// - Throws: `refused` unless the answer is `y` or `yes`; without a terminal, `usage`.
    static func ask(
        _ question: String, isTerminal: Bool = isatty(STDIN_FILENO) == 1,
        answer: () -> String? = { readLine() }
    ) throws(CommandFailure) {
        guard isTerminal else {
            throw CommandFailure(
                .usage, "Nobody is at a terminal to confirm.",
                remedy: "Give --yes if it is meant.")
        }
        Output.error.write(Array("\(question) [y/N] ".utf8))
        guard let word = answer()?.lowercased(), ["y", "yes"].contains(word) else {
            throw CommandFailure(
                .refused, "Nothing was changed.", remedy: "Answer 'y' to confirm, or give --yes.")
        }
    }
}
