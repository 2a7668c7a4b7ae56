import NIOCore
import Testing

@testable import Transport

@Suite("Work of which a turn of a loop does only so much") struct TurnQueueTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000)

    private func at(_ microseconds: Int64) -> NIODeadline { start + .microseconds(microseconds) }

    @Test func `is done at once while the turn has time`() {
        var queue = TurnQueue<String>(.milliseconds(2))
        #expect(queue.isUnderWay == false)
        #expect(queue.mayBegin(now: at(0)) == true)
        #expect(queue.isUnderWay == true)
        #expect(queue.mayBegin(now: at(1999)) == true)
        #expect(queue.mayBegin(now: at(2000)) == false)
        queue.beginTurn()
        #expect(queue.isUnderWay == false)
        #expect(queue.mayBegin(now: at(2001)) == true)
    }

    @Test func `waits in order, and what comes meanwhile waits behind it`() {
        var queue = TurnQueue<String>(.milliseconds(2))
        _ = queue.mayBegin(now: at(0))
        for name in ["a", "b", "c"] { queue.append(name) }
        #expect(queue.mayBegin(now: at(1)) == false)
        queue.append("d")
        queue.beginTurn()
        #expect(queue.next(now: at(3000)) == "a")
        #expect(queue.next(now: at(4999)) == "b")
        #expect(queue.next(now: at(5000)) == nil)
        queue.beginTurn()
        // One that takes longer than a turn is alone in it.
        #expect(queue.next(now: at(6000)) == "c")
        #expect(queue.next(now: at(9000)) == nil)
        queue.beginTurn()
        #expect(queue.next(now: at(9000)) == "d")
        #expect(queue.next(now: at(9001)) == nil)
        #expect(queue.isUnderWay == true)
        queue.beginTurn()
        #expect(queue.next(now: at(9002)) == nil)
        #expect(queue.isUnderWay == false)
    }
}

@Suite("A socket's input that is put off") struct PutOffInputTests {
    @Test func `is not read on before all of it had its turn`() {
        var input = SocketInput()
        #expect(input.mayRead() == true)
        input.waits()
        input.waits()
        #expect(input.mayRead() == false)
        #expect(input.turnCame() == false)
        #expect(input.turnCame() == true)
        #expect(input.isWaiting == false)
        #expect(input.mayRead() == true)
    }

    @Test func `is read on only when its owner wants it, too`() {
        var input = SocketInput()
        input.waits()
        #expect(input.mayRead() == false)
        #expect(input.setWanted(false) == false)
        #expect(input.turnCame() == false)
        #expect(input.setWanted(true) == true)
    }

    @Test func `is a newcomer's, for eight pieces`() {
        var input = SocketInput()
        for _ in 1...8 {
            #expect(input.isNewcomer == true)
            input.took()
        }
        #expect(input.isNewcomer == false)
        input.took()
        #expect(input.isNewcomer == false)
    }
}
