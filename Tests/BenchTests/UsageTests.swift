import Testing

@testable import Bench

@Suite("What everybody used")
struct UsageTests {
    @Test("is told apart: the broker, what belongs to it, the load and others")
    func spans() {
        let usage = ProcessUsage(
            stat: "7 (a) R 1 7 7 0 -1 0 1 2 3 4 100 0 9 9 20 0 1 0 5 6 7",
            status: "VmRSS:\t1 kB\n", ticksPerSecond: 100)
        var later = usage
        later?.cpuMicroseconds += 400_000
        let start = UsageMark(broker: usage, apart: 5, load: 10, machine: 100, time: 0)
        let end = UsageMark(
            broker: later, apart: 100_005, load: 200_010, machine: 1_700_100, time: 2_000_000_000)
        let span = end.span(since: start)
        #expect(span.broker == 400_000)
        #expect(span.apart == 100_000)
        #expect(span.load == 200_000)
        #expect(span.seconds == 2)
        #expect(span.foreignCores == 0.5)
    }

    @Test("of a broker that is not measured is the load's alone")
    func unmeasured() {
        let start = UsageMark(load: 10, machine: 100, time: 0)
        let span = UsageMark(load: 30, machine: 900, time: 1).span(since: start)
        #expect(span.broker == nil)
        #expect(span.apart == nil)
        #expect(span.foreignCores == nil)
        #expect(span.load == 20)
    }

    @Test("of the machine leaves out idle time and what the host took")
    func machine() {
        let stat = "cpu  10 20 30 4000 500 6 7 80 0 0\ncpu0 1 2 3\n"
        #expect(MeasuredProcesses.machine(stat: stat, ticksPerSecond: 100) == 730_000)
        #expect(MeasuredProcesses.machine(stat: "intr 1\n", ticksPerSecond: 100) == nil)
    }

    @Test("counts the processes below the broker and below the others")
    func processes() {
        let table = ProcessTable([
            .init(pid: 1, parent: 0, name: "init"), .init(pid: 10, parent: 1, name: "sluice"),
            .init(pid: 11, parent: 10, name: "postgres"),
            .init(pid: 12, parent: 11, name: "postgres"),
            .init(pid: 20, parent: 1, name: "postgres"), .init(pid: 21, parent: 20, name: "x"),
            .init(pid: 30, parent: 1, name: "other"),
        ])
        #expect(table.apart(from: 10, others: []).map(\.pid) == [11, 12])
        #expect(table.apart(from: 10, others: [20]).map(\.pid) == [11, 12, 20, 21])
        #expect(table.apart(from: 20, others: [10]).map(\.pid) == [10, 11, 12, 21])
    }

    @Test("reads a process's line, whose name may hold anything")
    func stat() throws {
        let line = "31 (a) (b c) S 7 31 31 0 -1 4194304 1 2 3 4 150 50 8 9 20 0 1 0 5 6 7"
        let entry = try #require(ProcessTable.Entry(stat: line))
        #expect(entry == .init(pid: 31, parent: 7, name: "a) (b c", endedChildren: 17))
        #expect(ProcessTable.Entry(stat: "31 a S 7") == nil)
        #expect(ProcessTable.current().entries.contains { $0.pid == 1 })
    }

    @Test("of the kernel is its objects and TCP's buffers")
    func kernel() throws {
        let meminfo = "MemTotal:  100 kB\nSlab:             2048 kB\nSReclaimable: 1 kB\n"
        let sockstat = "sockets: used 9\nTCP: inuse 4 orphan 0 tw 1 alloc 4 mem 3\nUDP: inuse 0\n"
        let memory = try #require(KernelMemory(meminfo: meminfo, sockstat: sockstat))
        #expect(memory.slabBytes == 2 << 20)
        #expect(memory.bufferBytes == 3 * 4096)
        #expect(KernelMemory(meminfo: "", sockstat: sockstat) == nil)
        #expect(KernelMemory(meminfo: meminfo, sockstat: "TCP: inuse 4\n") == nil)
    }

    @Test("of this process is known to the microsecond")
    func clock() throws {
        let usage = try #require(ProcessUsage(pid: 1))
        #expect(usage.cpuMilliseconds == usage.cpuMicroseconds / 1000)
        #expect(MeasuredProcesses(pids: []).mark().load > 0)
    }
}
