internal import NIOCore
internal import NIOHTTP1

/// The way from HTTP to a stream.
extension HTTPServerHandler {
    /// Has the upgrade decided; the request is complete and no further one is read.
    func decide(_ number: Int, _ request: UpgradeRequest) {
        switch request {
        case .decided(let upgrade):
            answers.upgrade(number, with: upgrade)
            advance()
        case .open(let decide):
            decide(HTTPUpgradeDecision { [weak self] in self?.settle(number, $0) })
        }
    }

    private func settle(_ number: Int, _ outcome: HTTPUpgradeDecision.Outcome) {
        // The connection may have ended while the decision was made.
        guard isUpgrading, socket.isOpen else { return }
        switch outcome {
        case .upgrade(let upgrade):
            answers.upgrade(number, with: upgrade)
            advance()
        case .answer(let answer):
            stopUpgrading()
            settle(number, with: answer)
        case .dropped:
            stopUpgrading()
            refuse(number, .unanswered)
        }
    }

    private func stopUpgrading() {
        isUpgrading = false
        reading = .over
    }

    /// Takes this handler out of the channel, and then opens the stream.
    func leave(for upgrade: HTTPUpgrade) {
        guard socket.isOpen else { return }
        reading = .left
        socket.setReading(false)
        // The parser may be in the middle of a piece; what it leaves of that is known afterwards.
        info.eventLoop.assumeIsolated().execute { self.open(upgrade) }
    }

    private func open(_ upgrade: HTTPUpgrade) {
        guard let context, socket.isOpen else { return }
        let early = [parser.undecoded, held]
        held = ByteBuffer()
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
        socket.stopTiming()
        let stream = StreamConnection(socket, info: info)
        let handler = upgrade.open(stream)
        stream.begin(handler, early: early, isInputOver: socket.isInputOver)
    }
}
