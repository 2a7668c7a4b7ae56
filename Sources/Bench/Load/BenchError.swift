internal import SluiceClient

/// Why a benchmark says nothing.
package struct BenchError: Error, Equatable, Sendable {
    package let message: String
    /// What to do.
    package let remedy: String

    init(_ message: String, remedy: String = "Lower the load, or see the broker's log.") {
        self.message = message
        self.remedy = remedy
    }

    /// There is no TCP connection.
    static func connecting(_ target: LoadTarget, _ error: any Error) -> BenchError {
        BenchError(
            "\(target.name) took no connection: \(error).",
            remedy: "See whether the broker runs, and its and this command's 'ulimit -Hn'.")
    }

    /// The broker closed before the session was open.
    static func closedEarly(_ target: LoadTarget, _ reason: String) -> BenchError {
        BenchError(
            "\(target.name) closed a new connection: \(reason).",
            remedy: "It takes connections_max (100000), and no more than its 'ulimit -Hn': "
                + "raise them, or take fewer connections.")
    }

    /// The broker answered otherwise.
    static func refused(_ target: LoadTarget, status: Int, body: [UInt8]) -> BenchError {
        let fields = try? JSONFields(body)
        let words = fields?.text("detail") ?? fields?.text("code") ?? "no reason was given"
        return BenchError(
            "\(target.name) answered \(status): \(words)",
            remedy: fields?.text("remedy") ?? "Check the address and the token.")
    }
}
