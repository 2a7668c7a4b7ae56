import Testing

@testable import SluiceClient

@Suite("A window of credit") struct CreditWindowTests {
    @Test func `holds what the caller asked for, however large the events are`() {
        var window = CreditWindow(size: 100)
        #expect(window.begin(waiting: 0) == 100)
        window.received(1 << 20)
        #expect(window.takenStep == 50)
        #expect(window.took(49) == nil)
        #expect(window.took(1) == 50)
    }

    @Test func `holds fewer events where they are large`() {
        var window = CreditWindow(size: nil)
        #expect(window.begin(waiting: 0) == CreditWindow.usual)
        for _ in 1...100 { window.received(64 << 10) }
        // 32 of them are 2 MiB; until they are taken, nothing more is granted.
        #expect(window.took(Int(CreditWindow.usual) - 32) == nil)
        #expect(window.took(15) == nil)
        #expect(window.took(1) == 16)
        #expect(window.begin(waiting: 0) == 32)
    }

    @Test func `counts what waits to be taken when it begins again`() {
        var window = CreditWindow(size: 10)
        #expect(window.begin(waiting: 4) == 6)
        #expect(window.begin(waiting: 12) == 0)
        #expect(window.took(7) == 5)
    }

    /// Whatever the sizes are, a subscriber that takes all gets credit before the broker has none.
    @Test(arguments: [1, 2, 3, 7, 10_000])
    func `never runs dry while everything is taken`(size: Int64) {
        var window = CreditWindow(size: size)
        var granted = window.begin(waiting: 0) ?? 0
        var step = window.takenStep
        var untold = 0
        for _ in 1...3 * size {
            #expect(granted > 0)
            granted -= 1
            step = window.takenStep
            untold += 1
            guard Int64(untold) >= step else { continue }
            granted += window.took(untold) ?? 0
            untold = 0
        }
    }

    @Test func `never runs dry when small events follow large ones`() {
        var window = CreditWindow(size: nil)
        var granted = window.begin(waiting: 0) ?? 0
        var untold = 0
        for index in 1...50_000 {
            #expect(granted > 0)
            granted -= 1
            window.received(index < 20_000 ? 1 << 20 : 100)
            untold += 1
            guard Int64(untold) >= window.takenStep else { continue }
            granted += window.took(untold) ?? 0
            untold = 0
        }
    }
}
