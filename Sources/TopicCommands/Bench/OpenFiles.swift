internal import Glibc

/// How many files, sockets among them, this process may have open.
enum OpenFiles {
    /// Raises the limit as far as this needs, up to what the system allows the process.
    ///
    /// - Throws: When that is not enough (setrlimit(2)).
    static func allow(_ count: Int) throws {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0,
            limit.rlim_cur < rlim_t(count)
        else { return }
        limit.rlim_cur = min(rlim_t(count), limit.rlim_max)
        _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        guard limit.rlim_cur >= rlim_t(count) else {
            throw CommandFailure(
                .usage,
                "This needs \(count) open files, and \(limit.rlim_max) are allowed.",
                remedy: "Raise 'ulimit -Hn', or take fewer connections.")
        }
    }
}
