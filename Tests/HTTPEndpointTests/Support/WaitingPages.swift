import Delivery
import EventModel
import RawClient
import Testing

@testable import HTTPEndpoint

/// A connection that asks for pages.
struct PageClient {
    let client: RawClient

    /// Reads one answer.
    func answer(sourceLocation: SourceLocation = #_sourceLocation) throws -> PageText {
        let head = try client.receive(upTo: "\r\n\r\n")
        let length = head.split(separator: "\r\n").first { $0.hasPrefix("Content-Length: ") }
        let size = try #require(
            length.flatMap { Int($0.dropFirst(16)) }, "\(head)", sourceLocation: sourceLocation)
        return PageText(
            head: head, body: String(decoding: try client.receive(exactly: size), as: UTF8.self))
    }
}

struct PageText {
    let head: String
    let body: String

    var status: Int { Int(head.dropFirst(9).prefix(3)) ?? 0 }
    var offsets: [String] {
        body.split(separator: #""type":"event""#).dropFirst().compactMap { event in
            event.split(separator: #""offset":"#).dropFirst().first.map { String($0.prefix(1)) }
        }
    }
    var cursor: String? {
        body.split(separator: #""cursor":""#).last.map { String($0.prefix { $0 != "\"" }) }
    }
    var isCaughtUp: Bool { body.hasSuffix(#""caught_up":true}"#) }
}

extension FollowedNode {
    /// Asks for a page that waits, and returns when it is waiting.
    func wait(_ query: String, _ headers: String = "") async throws -> PageClient {
        let before = try await waitingCount
        let client = try ask(query, headers)
        try await becomes(waiting: before + 1)
        return client
    }

    func ask(_ query: String, _ headers: String = "") throws -> PageClient {
        let client = try connect()
        try client.send(
            "GET /v1/topics/a/events?\(query) HTTP/1.1\r\nHost: localhost\r\n\(headers)\r\n")
        return PageClient(client: client)
    }

    var waitingCount: Int {
        get async throws {
            await withCheckedContinuation { continuation in
                hub.forEachLoop { continuation.resume(returning: $0.watches.count) }
            }
        }
    }

    func becomes(waiting count: Int) async throws {
        let deadline = ContinuousClock.now + .seconds(20)
        while try await waitingCount != count, ContinuousClock.now < deadline {
            try await Task.sleep(for: .milliseconds(1))
        }
        try #require(try await waitingCount == count)
    }
}
