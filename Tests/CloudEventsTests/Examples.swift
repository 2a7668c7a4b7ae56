import EventModel
import Testing

@testable import CloudEvents

func utf8(_ text: String) -> [UInt8] { Array(text.utf8) }

func text(_ bytes: [UInt8]?) -> String? { bytes.map { String(decoding: $0, as: UTF8.self) } }

/// What an event of the log is for who wants CloudEvents.
func encoded(_ event: NewEvent, topic: String = "a") throws -> String {
    let event = Event(offset: 7, time: Timestamp(microseconds: 1_000_001), content: event)
    let epoch = try #require(Epoch("k3f91"))
    return String(
        decoding: CloudEventMessage.encode(topic: try TopicName(topic), epoch: epoch, event: event),
        as: UTF8.self)
}

/// The refusal of a structured event, in short.
func refusal(_ json: String, limits: Limits = Limits()) -> String? {
    do throws(BrokerError) {
        _ = try CloudEvent(structured: utf8(json), limits: limits)
        return nil
    } catch {
        return "\(error.code.rawValue) \(error.at?.field ?? "-") \(error.at?.byte ?? -1)"
    }
}
