internal import Glibc

/// Writes to the process's standard streams, at once and whole: a pipe behind it sees each line
/// when it is there.
struct Output {
    /// Standard output: what was asked for.
    static let standard = Output(descriptor: STDOUT_FILENO)
    /// Standard error: how it goes, and what went wrong.
    static let error = Output(descriptor: STDERR_FILENO)

    let descriptor: Int32

    /// Whether a person is watching.
    var isTerminal: Bool { isatty(descriptor) == 1 }

    /// Columns of the terminal; `nil` if it is none.
    var columns: Int? {
        var size = winsize()
        guard isTerminal, ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else {
            return nil
        }
        return Int(size.ws_col)
    }

    /// Writes all of it, and ends the process quietly if the reader is gone.
    func write(_ bytes: some Collection<UInt8>) {
        var rest = Array(bytes)[...]
        while !rest.isEmpty {
            let count = Glibc.write(descriptor, Array(rest), rest.count)
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN || errno == EWOULDBLOCK {
                var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&waiting, 1, -1)
            } else if errno != EINTR {
                // 'sluice subscribe … | head' took what it wanted; that is no failure.
                exit(errno == EPIPE ? CommandStatus.done.rawValue : CommandStatus.failed.rawValue)
            }
        }
    }

    /// Writes a line.
    func line(_ text: String) { write(Array((text + "\n").utf8)) }

    /// Tells a failure: what happened and what to do.
    static func tell(_ failure: CommandFailure) {
        error.line("error: \(failure.message)")
        error.line("remedy: \(failure.remedy)")
    }
}
