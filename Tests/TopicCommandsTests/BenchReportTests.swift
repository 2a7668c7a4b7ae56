import Testing

@testable import Bench
@testable import TopicCommands

@Suite("What sluice bench prints")
struct BenchReportTests {
    private struct Outcome: BenchOutcome {
        var figures: [Figure]
        var delivered = DeliveryCheck.Tally()
        var isSound = true
        var end: String?

        init(cost: Double, cores: Double = 0.2) {
            figures = []
            figures.add("events_per_s", "events", .perSecond, 12_345)
            figures.add("broker_us", "broker's CPU for each event", .microseconds, cost)
            figures.add("load_cores", "load's cores", .ratio, cores)
            delivered.events = 3
        }
    }

    @Test("is a table of values, cut where the terminal ends")
    func table() {
        let lines = BenchReport.lines(
            BenchRounds(own: [Outcome(cost: 20.125)]), hint: true, width: 24)
        #expect(
            lines == [
                "   VALUE  WHAT", "12,345/s  events", "20.13 us  broker's CPU …",
                "    0.20  load's cores", "",
                "3 events delivered, 0 told in gaps, 0 lost, 0 repeated, 0 connections lost",
                "The broker's CPU and memory are measured with --server-pid.",
            ])
    }

    @Test("has the second broker beside the first, and their ratio")
    func compared() {
        let lines = BenchReport.lines(
            BenchRounds(own: [Outcome(cost: 20)], other: [Outcome(cost: 40)]), hint: false,
            width: nil)
        #expect(lines[0] == "    THIS   AGAINST  RATIO  WHAT")
        #expect(lines[2] == "20.00 us  40.00 us   0.50  broker's CPU for each event")
        #expect(lines.suffix(2).map { $0.prefix { $0 != ":" } } == ["this", "against"])
    }

    @Test("warns when the load has no core left")
    func loaded() {
        let lines = BenchReport.lines(
            BenchRounds(own: [Outcome(cost: 1, cores: 0.95)]), hint: false, width: nil)
        #expect(lines.last?.hasPrefix("The load had no core left") == true)
    }

    @Test("is one object for scripts")
    func json() {
        let rounds = BenchRounds(
            own: [Outcome(cost: 0.5), Outcome(cost: 1.5)],
            other: [Outcome(cost: 2), Outcome(cost: 2)])
        let text = String(decoding: BenchReport.json("x", rounds), as: UTF8.self)
        let delivered =
            #""delivered":{"events":6,"told":0,"lost":0,"repeated":0,"unwanted":0,"closed":0}"#
        func figures(_ cost: String) -> String {
            #"{"events_per_s":12345,"broker_us":\#(cost),"load_cores":0.2}"#
        }
        #expect(
            text == #"{"scenario":"x","sound":true,"figures":\#(figures("1")),\#(delivered),"#
                + #""runs":[\#(figures("0.5")),\#(figures("1.5"))],"against":{"#
                + #""figures":\#(figures("2")),\#(delivered),"#
                + #""runs":[\#(figures("2")),\#(figures("2"))]},"#
                + #""ratios":{"events_per_s":1,"broker_us":0.5,"load_cores":1}}"#)
    }
}
