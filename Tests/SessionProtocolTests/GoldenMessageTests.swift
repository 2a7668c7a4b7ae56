import EventModel
import FoundationEssentials
import SessionProtocol
import Testing

/// A file of `Tests/Golden` for each example of a message's description.
@Suite("The golden messages") struct GoldenMessageTests {
    /// The files of a folder, by name without the ending.
    private static func files(_ folder: String) throws -> [String: [UInt8]] {
        let tests = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
        let path = "/\(tests)/Golden/\(folder)"
        var files: [String: [UInt8]] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: path) {
            let data = try #require(FileManager.default.contents(atPath: "\(path)/\(name)"))
            files[String(name.prefix { $0 != "." })] = Array(data)
        }
        return files
    }

    private static func examples(
        _ descriptions: [MessageDescription]
    ) -> [String: [UInt8]] {
        var examples: [String: [UInt8]] = [:]
        for example in descriptions.flatMap(\.examples) {
            examples[example.name] = utf8(example.text)
        }
        return examples
    }

    /// The names of the members of an object's text.
    private static func names(_ text: [UInt8]) throws -> [String] {
        var names: [String] = []
        var scanner = JSONScanner(text)
        scanner.skipSpace()
        try scanner.object { (scanner, key) throws(BrokerError) in
            names.append(try scanner.text(of: key, field: ""))
            _ = try scanner.value()
        }
        return names
    }

    /// The text without one of its members.
    private static func removing(_ name: String, from text: [UInt8]) throws -> [UInt8] {
        var members: [(name: String, text: [UInt8])] = []
        var scanner = JSONScanner(text)
        scanner.skipSpace()
        try scanner.object { (scanner, key) throws(BrokerError) in
            let name = try scanner.text(of: key, field: "")
            let value = try scanner.value()
            members.append((name, text[key] + utf8(":") + text[value]))
        }
        let kept = members.filter { $0.name != name }.map(\.text)
        return utf8("{") + Array(kept.joined(separator: utf8(","))) + utf8("}")
    }

    @Test func `of clients are what is written, and read back`() throws {
        let kinds = ClientMessage.Kind.allCases
        let files = try Self.files("client")
        #expect(files == Self.examples(kinds.map(\.description)))
        for (name, bytes) in files {
            let message = try ClientMessage.decode(bytes, limits: Limits())
            #expect(text(message.encode()) == text(bytes), "\(name)")
            #expect(name.hasPrefix(message.kind.rawValue))
        }
    }

    @Test func `of the broker are what is written, and read back`() throws {
        let kinds = BrokerMessage.Kind.allCases
        let files = try Self.files("broker")
        #expect(files == Self.examples(kinds.map(\.description)))
        for (name, bytes) in files {
            let message = try #require(try BrokerMessage.decode(bytes), "\(name)")
            #expect(text(message.encode()) == text(bytes), "\(name)")
            #expect(name.hasPrefix(message.kind.rawValue))
        }
    }

    @Test func `have every member of the descriptions, in their order, and no other`() throws {
        let descriptions =
            ClientMessage.Kind.allCases.map(\.description)
            + BrokerMessage.Kind.allCases.map(\.description)
        for description in descriptions {
            var seen: Set<String> = []
            for example in description.examples {
                let names = try Self.names(utf8(example.text))
                seen.formUnion(names)
                let required = description.object.members.filter(\.isRequired).map(\.name)
                #expect(Set(names).isSuperset(of: required), "\(example.name)")
                #expect(
                    names == description.object.names.filter(names.contains), "\(example.name)")
            }
            #expect(seen == Set(description.object.names), "\(description.type)")
        }
    }

    @Test func `of clients mean something by every member, and others are refused`() throws {
        for (name, bytes) in try Self.files("client") {
            let whole = try ClientMessage.decode(bytes, limits: Limits())
            for member in try Self.names(bytes) {
                let part = try Self.removing(member, from: bytes)
                let message = try? ClientMessage.decode(part, limits: Limits())
                let isUsual = member == "from" && text(bytes).contains(#""from":"latest""#)
                #expect(message != whole || isUsual, "\(name) without \(member)")
            }
            let more = utf8(#"{"colour":1,"#) + bytes.dropFirst()
            let refusal = #expect(throws: ClientMessageRefusal.self) {
                try ClientMessage.decode(more, limits: Limits())
            }
            #expect(refusal?.error.code == .unknownField, "\(name)")
        }
    }

    /// What is absent reads as null, false or empty, and an offset is the cursor's.
    private static let readsTheSame = [
        "welcome without expires", "authenticated_with_id without expires",
        "published without offset", "published without repeated",
        "subscribed_granted without topics", "reset_deleted without cursor",
        "closing_for_good without reconnect_after_ms",
    ]

    @Test func `of the broker mean something by every member, and others are ignored`() throws {
        for (name, bytes) in try Self.files("broker") {
            let whole = try BrokerMessage.decode(bytes)
            for member in try Self.names(bytes) {
                let part = try Self.removing(member, from: bytes)
                let message = try? BrokerMessage.decode(part)
                let isUsual = Self.readsTheSame.contains("\(name) without \(member)")
                #expect(message != whole || isUsual, "\(name) without \(member)")
            }
            let more = utf8(#"{"colour":1,"#) + bytes.dropFirst()
            #expect(try BrokerMessage.decode(more) == whole, "\(name)")
        }
    }
}
