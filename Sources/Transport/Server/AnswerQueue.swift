internal import NIOCore

/// The answers of one connection, in the order of its requests (RFC 9112 9.3.2).
///
/// Requests get numbers; they are answered in any order and their answers come out in the order of
/// the numbers. Behind an answer that closes the connection nothing comes out.
struct AnswerQueue {
    /// What of a request decides how its answer looks on the wire.
    struct Request: Equatable {
        var isHead = false
        var isVersion10 = false
        var keepsAlive = true
        /// Whether the client waits for a 100 before it sends its body (RFC 9110 10.1.1).
        var expectsContinue = false
    }

    enum Next {
        case answer(HTTPAnswer, Request)
        case stream(HTTPStream, Request)
        /// The request whose turn it is waits for permission to send its body.
        case sendContinue
    }

    private enum Place {
        case waiting
        case answered(HTTPAnswer)
        case streamed(HTTPStream)
    }

    private var places = CircularBuffer<(request: Request, place: Place)>(initialCapacity: 2)
    private var first = 0

    /// Bytes of answers whose turn it is not yet.
    private(set) var waitingBytes = 0

    /// How many requests have not come out yet.
    var count: Int { places.count }
    var isEmpty: Bool { places.isEmpty }

    /// Takes in a request and returns its number.
    mutating func open(_ request: Request) -> Int {
        places.append((request, .waiting))
        return first + places.count - 1
    }

    /// Keeps the answer until it is its turn; without effect if the request is gone.
    mutating func answer(_ number: Int, with answer: HTTPAnswer) {
        settle(number, .answered(answer))
    }

    /// The same with a stream, behind which nothing comes out.
    mutating func stream(_ number: Int, with stream: HTTPStream) {
        settle(number, .streamed(stream))
    }

    private mutating func settle(_ number: Int, _ place: Place) {
        guard let index = index(of: number) else { return }
        guard case .waiting = places[index].place else { return }
        places[index].place = place
        if case .answered(let answer) = place { waitingBytes += answer.body?.readableBytes ?? 0 }
    }

    /// The client waits for a 100 before it sends the request's body.
    mutating func expectContinue(_ number: Int) {
        guard let index = index(of: number) else { return }
        places[index].request.expectsContinue = true
    }

    /// The body has begun to arrive, so a 100 would come too late.
    mutating func bodyBegun(_ number: Int) {
        guard let index = index(of: number) else { return }
        places[index].request.expectsContinue = false
    }

    /// Has the connection end behind the request's answer.
    mutating func close(behind number: Int) {
        guard let index = index(of: number) else { return }
        places[index].request.keepsAlive = false
    }

    /// Has the connection end behind what is already here.
    mutating func closeBehindLast() {
        guard let last = places.indices.last else { return }
        places[last].request.keepsAlive = false
    }

    /// What is to be written next, if it is ready.
    mutating func next() -> Next? {
        guard let front = places.first else { return nil }
        switch front.place {
        case .waiting:
            guard front.request.expectsContinue else { return nil }
            places[places.startIndex].request.expectsContinue = false
            return .sendContinue
        case .answered(let answer):
            dropFirst()
            waitingBytes -= answer.body?.readableBytes ?? 0
            if answer.closes || !front.request.keepsAlive { clear() }
            return .answer(answer, front.request)
        case .streamed(let stream):
            dropFirst()
            clear()
            return .stream(stream, front.request)
        }
    }

    private mutating func dropFirst() {
        places.removeFirst()
        first += 1
    }

    /// Forgets all requests; answers that still come have no effect.
    mutating func clear() {
        first += places.count
        places.removeAll()
        waitingBytes = 0
    }

    private func index(of number: Int) -> CircularBuffer<(request: Request, place: Place)>.Index? {
        guard number >= first, number < first + places.count else { return nil }
        return places.index(places.startIndex, offsetBy: number - first)
    }
}
