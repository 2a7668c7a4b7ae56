import EventModel
import Foundation
import SessionProtocol
import SluiceClient
import Testing

private let suite = sharedData.appending(path: "json-test-suite")

private let suiteFiles: [String] =
    ((try? FileManager.default.contentsOfDirectory(atPath: suite.path)) ?? [])
    .filter { $0.hasSuffix(".json") }.sorted()

extension EndToEnd {
    @Suite(
        "The public JSON test suite",
        .enabled(if: !suiteFiles.isEmpty, "it does not lie beside the repository"))
    struct JSONSuiteTests {
        @Test
        func `is accepted and refused as its file names say, and the log holds what was accepted`()
            async throws
        {
            let broker = try await TestBroker.shared
            let http = TestHTTP(broker)
            let topic = freshTopic("suite")
            var accepted: [[UInt8]] = []
            for file in suiteFiles {
                let text = try readBytes(suite.appending(path: file))
                let answer = try await http.publish(topic, text)
                let isAccepted = answer.status == 201
                if isAccepted {
                    accepted.append(trimmed(text))
                } else {
                    let code = answer.code.flatMap { ErrorCode(rawValue: $0) }
                    #expect(code == .invalidJSON || code == .invalidUTF8, "\(file)")
                    try answer.expectProblem(400, code ?? .internal)
                    let place = try answer.fields().object("at")?.integer("byte")
                    #expect(
                        (0...Int64(text.count)).contains(place ?? -1), "\(file): \(place ?? -1)")
                }
                switch file.prefix(2) {
                case "y_": #expect(isAccepted, "\(file): \(answer.body.text)")
                case "n_": #expect(!isAccepted, "\(file)")
                default: break  // Either is right, as long as there is an answer.
                }
            }
            #expect(try await http.get("/readyz").status == 200)
            let reader = try await TestSocket.session(broker)
            reader.send(#"{"type":"subscribe","id":1,"topic":"\#(topic)","from":"earliest"}"#)
            let events = try await reader.events(accepted.count)
            #expect(events.map(\.event.content.data) == accepted)
            #expect(try await reader.message() == .live(id: 1))
        }
    }
}

/// Without the white space around it, which is not part of the data.
private func trimmed(_ text: [UInt8]) -> [UInt8] {
    let isSpace = { (byte: UInt8) in [0x20, 0x09, 0x0A, 0x0D].contains(byte) }
    return Array(text.drop(while: isSpace).reversed().drop(while: isSpace).reversed())
}
