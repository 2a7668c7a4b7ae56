internal import Glibc

/// The broker's data directory, which holds what it keeps on this machine.
package enum DataDirectory {
    /// Creates the directory and its parents; leaves those that are there as they are.
    ///
    /// Only its owner may enter. As root, others may pass through (0711), because the database
    /// server is another user.
    ///
    /// - Parameter path: Absolute.
    /// - Throws: The first directory that cannot be made, and why.
    package static func make(_ path: String) throws(ManagedPostgresError) {
        if FileStatus(path)?.isDirectory == true { return }
        let parent = path.split(separator: "/").dropLast()
        if !parent.isEmpty { try make("/" + parent.joined(separator: "/")) }
        let mode: mode_t = geteuid() == 0 ? 0o711 : 0o700
        guard mkdir(path, mode) == 0 || errno == EEXIST else {
            throw ClusterLayout.failure("create", path, errno)
        }
        // The umask may have taken away what the server's user needs.
        chmod(path, mode)
    }
}
