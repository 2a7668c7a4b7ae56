internal import Glibc

/// A small file that is either the old one or the new one, never half of one.
enum AtomicFile {
    /// Writes beside the file, syncs, and renames.
    ///
    /// `mode` are the permissions from the first moment on, less the umask.
    static func write(_ bytes: [UInt8], to path: String, mode: mode_t) throws(TLSError) {
        let temporary = "\(path).\(getpid()).new"
        unlink(temporary)
        let file = open(temporary, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, mode)
        guard file >= 0 else { throw failure(path) }
        var written = 0
        while written < bytes.count {
            let count = bytes[written...].withUnsafeBytes {
                Glibc.write(file, $0.baseAddress, $0.count)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            written += count
        }
        let isSafe = written == bytes.count && fsync(file) == 0
        let error = errno
        close(file)
        guard isSafe, rename(temporary, path) == 0 else {
            let reported = isSafe ? errno : error
            unlink(temporary)
            throw failure(path, reported)
        }
    }

    private static func failure(_ path: String, _ code: Int32 = errno) -> TLSError {
        TLSError(.file, "\(path) cannot be written: \(String(cString: strerror(code))).")
    }
}
