internal import SessionProtocol
internal import SluiceClient

/// Subscribes with the Swift client, which goes on by itself after every break.
struct ClientReader {
    let name: String
    let patterns: [String]
    let start: String
    let door: Door
    /// After each event, until everybody hurries.
    let pause: Duration?
    let readers: Readers

    func run() async {
        do {
            let subscription = try door.client().subscribe(to: patterns, from: start)
            for try await item in subscription {
                switch item {
                case .event(let event): try take(event.message)
                case .notice(_, let message): if let message { try take(message) }
                }
                if let pause, !readers.isHurried { try await Task.sleep(for: pause) }
            }
        } catch is CancellationError {
        } catch {
            readers.diary.violated("\(name) is over: \(error)")
        }
    }

    private func take(_ text: [UInt8]) throws {
        if let message = try BrokerMessage.decode(text) { readers.received(message, by: name) }
    }
}
