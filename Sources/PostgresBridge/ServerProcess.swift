internal import CLibPQ
internal import Glibc
internal import Synchronization

/// A process of the database server: started as a child, or found and adopted.
///
/// Letting go of it does not end it.
package final class ServerProcess: Sendable {
    package enum Outcome: Sendable {
        case exited, woken, timedOut
    }

    package let pid: Int32
    /// Becomes readable when the process ends; it names this process for ever (pidfd_open(2)).
    private let descriptor: Int32
    private let child: Mutex<Child>

    private enum Child {
        case running, reaped(status: Int32), stranger
    }

    /// Starts a child in a process group of its own, so that Ctrl-C does not reach it, with
    /// default signal handling, no inherited descriptors and the given environment only.
    ///
    /// - Parameters:
    ///   - command: An absolute path and its arguments.
    ///   - environment: `NAME=value`, all that the child gets.
    ///   - directory: Where it starts.
    ///   - output: A file that stdout and stderr are appended to.
    /// - Throws: `StartFailure` with the errno, e.g. ENOENT or EACCES for the executable.
    package init(
        command: [String], environment: [String], directory: String, output: String
    ) throws(StartFailure) {
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(
            &attributes,
            Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))

        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        // The directory is the server's user's: its links must not lead root astray.
        posix_spawn_file_actions_addopen(
            &actions, 1, output, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        // A lock on the data directory that the server inherited would outlive the broker.
        posix_spawn_file_actions_addclosefrom_np(&actions, 3)
        posix_spawn_file_actions_addchdir_np(&actions, directory)

        var pid: pid_t = 0
        let status = CStrings.withMutable(command) { arguments in
            CStrings.withMutable(environment) { environment in
                posix_spawn(&pid, command[0], &actions, &attributes, arguments, environment)
            }
        }
        guard status == 0 else { throw StartFailure(command: command[0], errno: status) }
        self.pid = pid
        descriptor = sluice_pidfd_open(pid)
        child = Mutex(.running)
        // Before Linux 5.3, or forbidden by a sandbox.
        if descriptor < 0 {
            let reason = errno
            kill(pid, SIGTERM)
            waitpid(pid, nil, 0)
            throw StartFailure(command: "pidfd_open", errno: reason)
        }
    }

    /// Watches a process that is not our child; nil if there is none with that number.
    package init?(adopting pid: Int32) {
        let descriptor = pid > 0 ? sluice_pidfd_open(pid) : -1
        guard descriptor >= 0 else { return nil }
        self.pid = pid
        self.descriptor = descriptor
        child = Mutex(.stranger)
    }

    deinit { _ = Glibc.close(descriptor) }

    package var isRunning: Bool { wait(timeout: .zero) != .exited }

    /// Blocks until the process ends, `wakeup` is signalled (and then taken), or the timeout.
    package func wait(timeout: Duration?, wakeup: PostgresWakeup? = nil) -> Outcome {
        let deadline = timeout.map { ContinuousClock.now + $0 }
        while true {
            var entries = [
                pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: wakeup?.descriptor ?? -1, events: Int16(POLLIN), revents: 0),
            ]
            let ready = poll(&entries, 2, PollTimeout.milliseconds(until: deadline))
            if ready > 0 {
                if entries[0].revents != 0 {
                    reap()
                    return .exited
                }
                if let wakeup, entries[1].revents != 0, wakeup.take() { return .woken }
            }
            if let deadline, ContinuousClock.now >= deadline { return .timedOut }
        }
    }

    /// Does nothing if the process has ended.
    package func signal(_ number: Int32) {
        _ = sluice_pidfd_signal(descriptor, number)
    }

    /// How a child ended, like "exit status 1" or "signal 9"; nil while it runs or for a stranger.
    package var ending: String? {
        child.withLock { child in
            guard case .reaped(let status) = child else { return nil }
            let signal = status & 0x7f
            return signal == 0 ? "exit status \((status >> 8) & 0xff)" : "signal \(signal)"
        }
    }

    /// Whether a child ended with exit status 0.
    package var isSuccess: Bool { ending == "exit status 0" }

    private func reap() {
        child.withLock { child in
            guard case .running = child else { return }
            var status: Int32 = 0
            while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
            child = .reaped(status: status)
        }
    }

    /// Why a process could not be started.
    package struct StartFailure: Error, Sendable, CustomStringConvertible {
        package var command: String
        package var errno: Int32

        package init(command: String, errno: Int32) {
            self.command = command
            self.errno = errno
        }

        package var description: String { "\(command): \(String(cString: strerror(errno)))" }
    }
}

extension CStrings {
    /// posix_spawn's arrays, which it promises not to change.
    fileprivate static func withMutable<Value>(
        _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Value
    ) -> Value {
        // Safe: the copies live until after `body`.
        let copies = strings.map { strdup($0) }
        defer { copies.forEach { free($0) } }
        return body(copies + [nil])
    }
}
