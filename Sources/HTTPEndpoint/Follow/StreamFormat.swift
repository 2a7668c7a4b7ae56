internal import Delivery
internal import EventModel
internal import FanOut
internal import SessionProtocol

/// In what form topics are followed over HTTP (doc:HTTP).
struct StreamFormat: Sendable {
    /// NDJSON, a message a line; or server-sent events.
    let type: MediaType
    let view: StreamView
    /// The topics are the query's: the id of a server-sent event is a position in all of them, and
    /// not a cursor.
    let isOfTopics: Bool

    /// The first is what a client gets that takes anything.
    static let types: [MediaType] = [.ndjson, .eventStream]

    private var isEvents: Bool { type == .eventStream }

    /// Of events and notices, and what stands before them.
    var form: StreamForm {
        StreamForm(encoding: encoding) { [self] outlet, position in
            guard isEvents else { return }
            let opening = ServerSentEvent(beginningAt: position, isOfTopics: isOfTopics)
            outlet.send(opening.encode())
            guard isOfTopics else { return }
            var position = position
            outlet.mark { topic, cursor in
                position.move(topic, to: cursor)
                return ServerSentEvent.idLine(position)
            }
        }
    }

    private var encoding: Encoding {
        switch (isEvents, view, isOfTopics) {
        case (false, .message, _): .lines
        case (false, .data, _): .dataLines
        case (true, .message, false): .serverSentEvents
        case (true, .message, true): .serverSentEventsWithoutID
        case (true, .data, false): .serverSentData
        case (true, .data, true): .serverSentDataWithoutID
        }
    }

    /// What is no event and no notice; empty if it is not told.
    func encode(_ message: BrokerMessage) -> [UInt8] {
        switch (isEvents, view) {
        case (false, .message): jsonLine(message.encode())
        case (true, .message): ServerSentEvent(message).encode()
        // It keeps what lies between awake, and readers of lines pass over an empty one.
        case (false, .data): message.isHeartbeat ? jsonLine([]) : []
        case (true, .data):
            message.isHeartbeat
                ? ServerSentEvent.comment
                : ServerSentEvent(besideData: message)?.encode() ?? []
        }
    }
}

extension BrokerMessage {
    fileprivate var isHeartbeat: Bool {
        if case .heartbeat = self { true } else { false }
    }
}

extension Encoding {
    fileprivate static let lines = Encoding(
        event: { jsonLine(EventMessage.encode(topic: $0, epoch: $1, event: $2)) },
        notice: { jsonLine(BrokerMessage($0).encode()) })

    fileprivate static let dataLines = Encoding(
        event: { jsonLine($2.content.data) }, notice: { _ in [] }, isLast: \.endsBareData)

    fileprivate static let serverSentEvents = makeEvents(haveIDs: true)
    /// The id is put before each when it goes out, as it says where one client stands.
    fileprivate static let serverSentEventsWithoutID = makeEvents(haveIDs: false)

    private static func makeEvents(haveIDs: Bool) -> Encoding {
        Encoding(
            event: { topic, epoch, event in
                let data = EventMessage.encode(topic: topic, epoch: epoch, event: event)
                return block(
                    of: data, id: haveIDs ? Cursor(epoch: epoch, offset: event.offset) : nil)
            },
            notice: { notice in
                var block = ServerSentEvent(BrokerMessage(notice))
                if !haveIDs { block.id = nil }
                return block.encode()
            })
    }

    fileprivate static let serverSentData = makeDataEvents(haveIDs: true)
    fileprivate static let serverSentDataWithoutID = makeDataEvents(haveIDs: false)

    private static func makeDataEvents(haveIDs: Bool) -> Encoding {
        Encoding(
            event: { _, epoch, event in
                block(
                    of: event.content.data,
                    id: haveIDs ? Cursor(epoch: epoch, offset: event.offset) : nil)
            },
            notice: { notice in
                guard var block = ServerSentEvent(besideData: BrokerMessage(notice)) else {
                    return []
                }
                if !haveIDs { block.id = nil }
                return block.encode()
            }, isLast: \.endsBareData)
    }

    private static func block(of data: [UInt8], id: Cursor?) -> [UInt8] {
        ServerSentEvent(id: id.map { "\($0)" }, data: data).encode()
    }
}
