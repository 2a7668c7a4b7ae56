/// Asks before something is lost that nobody can bring back.
struct LossQuestion {
    /// `--yes`: nothing is asked.
    let isGiven: Bool
    /// Whether somebody is there to answer.
    var isTerminal = InputFile().isTerminal
    var tell: (String) -> Void = { Output.error.line($0) }
    var ask: (String) -> String? = { question in
        Output.error.write(Array(question.utf8))
        return readLine()
    }

    /// Returns when the answer is yes.
    ///
    /// - Parameters:
    ///   - action: What is about to be done, like `delete`.
    ///   - subjects: What it would be done to and what is lost, one a line.
    /// - Throws: Wrong usage if nobody can be asked, and a failure if the answer is no.
    func require(_ action: String, _ subjects: [String]) throws(CommandFailure) {
        guard !isGiven else { return }
        let shown = subjects.map(Table.printable)
        guard isTerminal else {
            if shown.count > 1 { for subject in shown { tell(subject) } }
            let what = shown.count == 1 ? shown[0] : "the \(shown.count) topics above"
            throw CommandFailure(
                .usage, "This would \(action) \(what).",
                remedy: "There is no terminal to ask on: say --yes if it is meant.")
        }
        for subject in shown { tell(subject) }
        let answer = ask("\(action)? [y/N] ")?.lowercased()
        guard answer == "y" || answer == "yes" else {
            throw CommandFailure(
                .failed, "Nothing was changed.", remedy: "Answer y if it is meant, or say --yes.")
        }
    }
}
