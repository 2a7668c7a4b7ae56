import NIOCore
import NIOHTTP1
import Testing

@testable import Transport

@Suite("The answers of pipelined requests") struct AnswerQueueTests {
    private var queue = AnswerQueue()

    /// What comes out until nothing is ready, in short.
    private mutating func drain() -> [String] {
        var texts: [String] = []
        while let next = queue.next() {
            switch next {
            case .answer(let answer, _): texts.append("\(answer.status.code)")
            case .stream: texts.append("stream")
            case .sendContinue: texts.append("continue")
            }
        }
        return texts
    }

    @Test mutating func `come out in the order of the requests`() {
        let numbers = (0..<3).map { _ in queue.open(.init()) }
        queue.answer(numbers[2], with: HTTPAnswer(status: .gone))
        #expect(drain().isEmpty)
        queue.answer(numbers[0], with: HTTPAnswer(status: .ok))
        #expect(drain() == ["200"])
        queue.answer(numbers[1], with: HTTPAnswer(status: .created))
        #expect(drain() == ["201", "410"])
        #expect(queue.isEmpty)
    }

    @Test mutating func `end behind one that closes`() {
        let numbers = (0..<2).map { _ in queue.open(.init()) }
        queue.answer(numbers[1], with: HTTPAnswer(status: .gone))
        queue.answer(numbers[0], with: HTTPAnswer(status: .ok, closes: true))
        #expect(drain() == ["200"])
        #expect(queue.isEmpty)
    }

    @Test mutating func `are the first that was given, and none once the queue is cleared`() {
        let number = queue.open(.init())
        queue.answer(number, with: HTTPAnswer(status: .ok))
        queue.answer(number, with: HTTPAnswer(status: .gone))
        #expect(drain() == ["200"])
        let late = queue.open(.init())
        queue.clear()
        queue.answer(late, with: HTTPAnswer(status: .ok))
        #expect(drain().isEmpty)
    }

    @Test mutating func `are counted while it is not their turn`() {
        let numbers = (0..<3).map { _ in queue.open(.init()) }
        queue.answer(numbers[1], with: HTTPAnswer(status: .ok, body: ByteBuffer(string: "12345")))
        queue.answer(numbers[2], with: HTTPAnswer(status: .ok, body: ByteBuffer(string: "678")))
        #expect(queue.waitingBytes == 8)
        queue.answer(numbers[0], with: HTTPAnswer(status: .ok))
        #expect(drain() == ["200", "200", "200"])
        #expect(queue.waitingBytes == 0)
    }

    @Test mutating func `ask for a body once it is their turn, and not when it has begun to come`()
    {
        let first = queue.open(.init())
        let second = queue.open(.init(expectsContinue: true))
        let third = queue.open(.init(expectsContinue: true))
        #expect(drain().isEmpty)
        queue.answer(first, with: HTTPAnswer(status: .ok))
        #expect(drain() == ["200", "continue"])
        queue.bodyBegun(third)
        queue.answer(second, with: HTTPAnswer(status: .ok))
        #expect(drain() == ["200"])
    }
}

@Suite("What the kernel did not take") struct HandedOverTests {
    @Test func `is told when it is flushed, if the socket was seen blocked`() {
        var handedOver = HandedOver()
        handedOver.began(10)
        handedOver.returned()
        handedOver.began(20)
        handedOver.returned()
        #expect(handedOver.isBlocked)
        #expect(handedOver.bytes == 30)
        let toldEarly = handedOver.ended(10)
        let toldAtEnd = handedOver.ended(20)
        #expect(!toldEarly)
        #expect(toldAtEnd)
        #expect(!handedOver.isBlocked)
    }

    @Test func `is not told when it was flushed at once`() {
        var handedOver = HandedOver()
        handedOver.began(10)
        let isTold = handedOver.ended(10)
        handedOver.returned()
        #expect(!isTold)
        #expect(!handedOver.isBlocked)
    }
}

@Suite("The date of an answer") struct HTTPDateTests {
    @Test(arguments: [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
        (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
    ])
    func `is in the form of RFC 9110`(seconds: Int, text: String) {
        #expect(HTTPDate.format(seconds) == text)
    }
}
