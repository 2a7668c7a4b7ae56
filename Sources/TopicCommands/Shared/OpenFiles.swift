internal import Glibc

/// How many files, sockets among them, this process may have open.
enum OpenFiles {
    private static let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)

    /// Raises the limit as far as the system allows the process (setrlimit(2)).
    ///
    /// - Returns: The limit from now on; `nil` if nobody can tell.
    static func allowAll() -> Int? { allowed(upTo: .max) }

    /// Raises the limit as far as this needs, up to what the system allows the process.
    ///
    /// - Throws: When that is not enough.
    static func allow(_ count: Int) throws {
        guard let limit = allowed(upTo: rlim_t(count)), limit < count else { return }
        throw CommandFailure(
            .usage,
            "This needs \(count) open files, and \(limit) are allowed.",
            remedy: "Raise 'ulimit -Hn', or take fewer connections.")
    }

    /// Raises the limit to `count`, or as far as it goes; never lowers it.
    private static func allowed(upTo count: rlim_t) -> Int? {
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0 else { return nil }
        var raised = limit
        raised.rlim_cur = min(count, limit.rlim_max)
        if raised.rlim_cur > limit.rlim_cur, setrlimit(resource, &raised) == 0 { limit = raised }
        return Int(clamping: limit.rlim_cur)
    }
}
