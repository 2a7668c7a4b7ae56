import NIOHTTP1
import Testing
import WebAssets

@testable import HTTPEndpoint

@Suite("A file for browsers") struct AssetTests {
    private let fixture = BrokerFixture(tokens: ScriptedTokens())

    private func tag(of answer: BrokerFixture.Answer) throws -> String {
        let line = try #require(answer.headers.first { $0.hasPrefix("etag: ") })
        return String(line.dropFirst("etag: ".count))
    }

    @Test(arguments: WebAsset.all.map(\.path)) func `is open to everybody`(
        path: String
    ) async throws {
        let answer = try await fixture.ask(.GET, path)
        let asset = try #require(WebAsset.all.first { $0.path == path })
        #expect(answer.status == 200)
        #expect(answer.body == String(decoding: asset.content, as: UTF8.self))
        #expect(answer.headers.contains("content-type: \(asset.mediaType)"))
        #expect(answer.headers.contains("cache-control: no-cache"))
        #expect(answer.headers.contains("access-control-allow-origin: *"))
    }

    @Test func `is also there while the broker drains`() async throws {
        fixture.broker.drain()
        #expect(try await fixture.ask(.GET, "/sluice.js").status == 200)
    }

    @Test(arguments: [
        ("gzip", true), ("br, GZIP;q=0.5", true), ("x-gzip", true), ("br, deflate", false),
        ("gzip;q=0", false), ("identity", false), ("*", false),
    ]) func `is compressed for who takes that`(accepted: String, isCompressed: Bool) async throws {
        let answer = try await fixture.ask(.GET, "/sluice.js", ["accept-encoding": accepted])
        #expect(answer.headers.contains("content-encoding: gzip") == isCompressed)
        #expect(answer.headers.contains("vary: accept-encoding"))
        #expect(try tag(of: answer).hasSuffix("-gzip\"") == isCompressed)
    }

    @Test func `is not sent again to who has it`() async throws {
        let tag = try tag(of: try await fixture.ask(.GET, "/sluice.js"))
        for known in [tag, "W/\(tag)", "\"other\", \(tag)", "*"] {
            let answer = try await fixture.ask(.GET, "/sluice.js", ["if-none-match": known])
            #expect(answer.status == 304)
            #expect(answer.body.isEmpty)
            #expect(answer.headers.contains("etag: \(tag)"))
        }
        let other = try await fixture.ask(
            .GET, "/sluice.js", ["if-none-match": tag, "accept-encoding": "gzip"])
        #expect(other.status == 200)
    }

    @Test(arguments: ["/examples", "/examples/chat", "/examples/ticker"])
    func `that is a page runs the broker's files alone`(path: String) async throws {
        let answer = try await fixture.ask(.GET, path)
        let policy = try #require(
            answer.headers.first { $0.hasPrefix("content-security-policy: ") })
        #expect(policy.contains("default-src 'none'; script-src 'self';"))
        #expect(!policy.contains("unsafe"))
    }

    @Test func `of which sluice.js has less than 12 KiB`() throws {
        let asset = try #require(WebAsset.all.first { $0.path == "/sluice.js" })
        #expect(asset.gzip.count < 12 << 10)
    }
}
