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

extension Notice {
    /// Whether a stream of bare data ends there, as it can't say what is missing (doc:HTTP).
    ///
    /// What was conflated was to be left out.
    package var endsBareData: Bool {
        switch self {
        case .gap(_, _, _, _, let reason): reason != .conflated
        case .reset: true
        case .lagging, .live, .cursors: false
        }
    }
}
