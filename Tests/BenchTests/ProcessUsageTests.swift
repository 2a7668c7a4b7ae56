import Testing

@testable import Bench

@Suite("What a process has used")
struct ProcessUsageTests {
    private let status = "Name:\tx\nVmPeak:\t  900 kB\nVmRSS:\t  512 kB\nThreads:\t1\n"

    @Test("is read behind its name, which may hold anything")
    func names() throws {
        let stat = "7 (a) 1 (b) R 1 7 7 0 -1 4194304 1 2 3 4 150 50 9 9 20 0 1 0 5 6 7"
        let usage = try #require(
            ProcessUsage(stat: stat, status: status, ticksPerSecond: 100))
        #expect(usage.cpuMilliseconds == 2000)
        #expect(usage.residentBytes == 512 << 10)
    }

    @Test("is nothing when the kernel says something else")
    func strange() {
        #expect(ProcessUsage(stat: "7 (a) R 1", status: status, ticksPerSecond: 100) == nil)
        let stat = "7 (a) R 1 7 7 0 -1 4194304 1 2 3 4 150 50 9 9 20 0 1 0 5 6 7"
        #expect(ProcessUsage(stat: stat, status: "Name:\tx\n", ticksPerSecond: 100) == nil)
    }

    @Test("is known of a process that runs, and not of one that does not")
    func real() {
        #expect(ProcessUsage(pid: 1) != nil)
        #expect(ProcessUsage(pid: .max) == nil)
    }
}
