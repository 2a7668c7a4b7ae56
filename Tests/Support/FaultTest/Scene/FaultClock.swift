internal import Glibc
internal import PostgresBridge

/// A clock of the database servers' own, which this process sets.
///
/// A library that is loaded into them adds what a shared page of memory says to the time of day.
/// It takes no lock and no memory, as servers ask for the time in signal handlers, too.
final class FaultClock: Sendable {
    /// What a server gets, so that it goes by this clock.
    let environment: [String]
    private let file: CInt

    /// - Parameter directory: Where it lives; servers may read there.
    ///
    /// `nil` without a C compiler.
    init?(directory: String) {
        let (source, library) = ("\(directory)/clock.c", "\(directory)/clock.so")
        let path = "\(directory)/clock"
        file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        environment = ["LD_PRELOAD=\(library)", "FAULT_CLOCK=\(path)"]
        guard file >= 0, step(to: 0), Self.write(Self.text, to: source),
            let compiler = try? ServerProcess(
                command: ["/usr/bin/cc", "-O2", "-shared", "-fPIC", "-o", library, source],
                environment: ["PATH=/usr/bin:/bin"], directory: directory, output: "/dev/null"),
            compiler.wait(timeout: .seconds(60)) == .exited, compiler.isSuccess
        else { return nil }
        chmod(library, 0o755)
    }

    deinit { close(file) }

    /// Puts it so many seconds before the machine's clock, for all servers at once.
    @discardableResult
    func step(to seconds: Int) -> Bool {
        var seconds = Int64(seconds)
        return pwrite(file, &seconds, 8, 0) == 8
    }

    private static func write(_ text: String, to path: String) -> Bool {
        let file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
        defer { close(file) }
        let bytes = Array(text.utf8)
        return file >= 0 && Glibc.write(file, bytes, bytes.count) == bytes.count
    }

    private static let text = """
        #define _GNU_SOURCE
        #include <fcntl.h>
        #include <stdlib.h>
        #include <sys/mman.h>
        #include <sys/syscall.h>
        #include <sys/time.h>
        #include <time.h>
        #include <unistd.h>
        static volatile const long *ahead;
        __attribute__((constructor)) static void find(void) {
            const char *path = getenv("FAULT_CLOCK");
            int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
            if (file < 0) return;
            void *page = mmap(0, sizeof *ahead, PROT_READ, MAP_SHARED, file, 0);
            close(file);
            if (page != MAP_FAILED) ahead = page;
        }
        int gettimeofday(struct timeval *restrict now, void *restrict zone) {
            int status = syscall(SYS_gettimeofday, now, zone);
            if (!status && now && ahead) now->tv_sec += *ahead;
            return status;
        }
        int clock_gettime(clockid_t clock, struct timespec *now) {
            int status = syscall(SYS_clock_gettime, clock, now);
            if (!status && clock == CLOCK_REALTIME && ahead) now->tv_sec += *ahead;
            return status;
        }
        time_t time(time_t *now) {
            struct timespec exact;
            clock_gettime(CLOCK_REALTIME, &exact);
            if (now) *now = exact.tv_sec;
            return exact.tv_sec;
        }

        """
}
