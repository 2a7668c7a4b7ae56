import Glibc
import PostgresBridge
import Synchronization

/// The directories of this test process: short enough for sockets, and gone after its end.
enum TestDirectories {
    private static let count = Atomic(0)

    /// A shell outlives this process, ends servers whose brokers could not, and removes everything.
    private static let root: String = {
        let path = "/tmp/sluice-e2e-\(getpid())"
        mkdir(path, 0o755)
        let script = """
            while kill -0 \(getpid()) 2>/dev/null; do sleep 0.2; done
            for file in */postgres/data/postmaster.pid; do
                pid=$(head -n 1 "$file" 2>/dev/null) || continue
                kill -QUIT "$pid" 2>/dev/null
                while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
            done
            cd / && rm -rf '\(path)'
            """
        _ = try? ServerProcess(
            command: ["/bin/sh", "-c", script], environment: ["PATH=/usr/bin:/bin"],
            directory: path, output: "/dev/null")
        return path
    }()

    /// A new, empty directory that every user may pass through.
    static func make() -> String {
        let path = "\(root)/\(count.add(1, ordering: .relaxed).newValue)"
        mkdir(path, 0o755)
        return path
    }
}
