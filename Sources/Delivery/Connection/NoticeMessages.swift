internal import EventModel
package import FanOut
package import SessionProtocol

extension BrokerMessage {
    /// A notice as the wire says it.
    package init(_ notice: FanOut.Notice) {
        switch notice {
        case .lagging(let id, let behind): self = .lagging(id: id, behind: behind)
        case .live(let id): self = .live(id: id)
        case .gap(let topic, let epoch, let from, let to, let reason):
            self = .gap(.init(topic: topic, epoch: epoch, from: from, to: to, reason: reason))
        case .reset(let topic, let cursor, let reason):
            self = .reset(.init(topic: topic, cursor: cursor, reason: reason))
        case .cursors(let cursors): self = .cursor(cursors)
        }
    }
}
