import SluiceClient
import Testing

@testable import TopicCommands

@Suite("The demo's events") struct MachineEventsTests {
    private func counters(busy: Int, idle: Int, received: Int) -> MachineCounters {
        MachineCounters { path in
            switch path {
            case "/proc/stat":
                "cpu  \(busy) 0 0 \(idle) 0 0 0 0 0 0\ncpu0 1 2 3 4 5\ncpu1 1 2 3 4 5\nintr 7\n"
            case "/proc/loadavg": "0.52 0.58 0.59 1/467 12345\n"
            case "/proc/meminfo":
                "MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 400 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n"
            case "/proc/net/dev":
                """
                Inter-|   Receive  |  Transmit
                 face |bytes    packets errs drop fifo frame compressed multicast|bytes packets errs
                    lo: 999 9 0 0 0 0 0 0 999 9 0 0 0 0 0 0
                  eth0: \(received) 20 0 0 0 0 0 0 500 5 0 0 0 0 0 0
                """
            default: ""
            }
        }
    }

    @Test func `tell what the machine did since the last look`() {
        let last = counters(busy: 100, idle: 900, received: 1000)
        let now = counters(busy: 150, idle: 950, received: 3000)
        let events = MachineEvents(host: "ada").events(now, since: last, elapsed: .seconds(2))
        #expect(events.map(\.topic) == ["demo.ada.cpu", "demo.ada.memory", "demo.ada.network"])
        #expect(
            events.map { String(decoding: $0.data, as: UTF8.self) } == [
                #"{"busy_percent":50.0,"processors":2,"load":[0.52,0.58,0.59]}"#,
                #"{"used_bytes":614400,"total_bytes":1024000,"swap_used_bytes":0}"#,
                #"{"received_bytes_per_second":1000,"sent_bytes_per_second":0,"#
                    + #""received_packets":20,"sent_packets":5}"#,
            ])
    }

    @Test func `are sound JSON even where /proc says nothing`() throws {
        let empty = MachineCounters { _ in "" }
        let events = MachineEvents(host: "x").events(empty, since: empty, elapsed: .zero)
        for event in events { _ = try event.checked() }
    }
}
