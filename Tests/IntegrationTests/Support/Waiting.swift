/// What was waited for did not come.
struct TimedOut: Error, CustomStringConvertible {
    let what: String
    var description: String { "\(what) did not come about in time" }
}

/// Asks again and again until the answer is yes; for what tells nobody that it has come about.
func eventually(
    _ what: String, within patience: Duration = .seconds(30),
    isolation: isolated (any Actor)? = #isolation,
    _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + patience
    while !(try await condition()) {
        guard ContinuousClock.now < deadline else { throw TimedOut(what: what) }
        try await Task.sleep(for: .milliseconds(20))
    }
}
