import FaultTest
import Testing

@Suite("A schedule of faults") struct FaultScheduleTests {
    private func schedule(
        _ seed: UInt64, minutes: Int = 5, without missing: Set<Fault.Kind> = []
    ) -> FaultSchedule {
        FaultSchedule(seed: seed, duration: .seconds(60 * minutes), brokers: 2, without: missing)
    }

    @Test func `is the same for the same seed, and another for another`() {
        #expect(schedule(1) == schedule(1))
        #expect(schedule(1) != schedule(2))
    }

    @Test func `has every kind of fault, and none that is missing`() {
        let all = Set(schedule(3).moments.flatMap(\.faults).map(\.kind))
        #expect(all == Set(Fault.Kind.allCases))
        let fewer = schedule(3, without: [.diskFull]).moments.flatMap(\.faults).map(\.kind)
        #expect(!fewer.contains(.diskFull))
    }

    @Test func `rises, stays within its time, and lets one fault end before the next`() {
        for seed in 1...20 as ClosedRange<UInt64> {
            let moments = schedule(seed).moments
            for (moment, next) in zip(moments, moments.dropFirst()) {
                let longest = moment.faults.map(\.lasting).max() ?? .zero
                #expect(next.at > moment.at + longest)
            }
            #expect(moments.allSatisfy { $0.at < .seconds(300) && !$0.faults.isEmpty })
            #expect(moments.flatMap(\.faults).allSatisfy { (0...1).contains($0.broker) })
        }
    }
}
