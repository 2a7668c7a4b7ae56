import EventModel
import SessionProtocol
import Testing

func utf8(_ text: String) -> [UInt8] { Array(text.utf8) }

func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

func topic(_ text: String) throws -> TopicName { try TopicName(text) }

func cursor(_ text: String) throws -> Cursor { try #require(Cursor(text)) }

func terms(limits: Limits = Limits()) -> SessionTerms {
    SessionTerms(node: "n1", version: "1.0.0", limits: limits)
}

/// 2026-01-01T00:00:00.000000Z.
let newYear = Timestamp(microseconds: 1_767_225_600_000_000)
let newYearText = "2026-01-01T00:00:00.000000Z"

let start = Moment(instant: ContinuousClock.now, time: newYear)
