import EventModel
import RepeatableChance
import Testing

@testable import CloudEvents

@Suite("Events of any kind") struct RandomEventTests {
    @Test func `come back as they were published, and are CloudEvents whatever they were`() throws {
        var chance = SeededGenerator()
        let seed = chance.seed
        for _ in 0..<2000 {
            let json = Self.structured(&chance)
            let event = try CloudEvent(structured: utf8(json), limits: Limits())
            let again = try CloudEvent(structured: utf8(encoded(event.event)), limits: Limits())
            #expect(again == event, "seed \(seed): \(json)")
            let plain = Self.plain(&chance)
            let out = try encoded(plain)
            #expect(throws: Never.self, "seed \(seed): \(out)") {
                let found = try CloudEvent(structured: utf8(out), limits: Limits())
                #expect(found.event.data == plain.data)
            }
        }
    }

    @Test func `that are damaged are refused, or are as good as others`() throws {
        var chance = SeededGenerator()
        let seed = chance.seed
        for _ in 0..<3000 {
            var bytes = utf8(Self.structured(&chance))
            for _ in 0..<chance.pick(1...3) {
                let place = chance.pick(0...bytes.count - 1)
                switch chance.pick(0...2) {
                case 0: bytes.remove(at: place)
                case 1: bytes[place] = UInt8(chance.pick(0...255))
                default: bytes.insert(chance.pick(utf8(#"{}[]",:\0t"#)), at: place)
                }
            }
            guard let event = try? CloudEvent(structured: bytes, limits: Limits()) else { continue }
            let again = try CloudEvent(structured: utf8(encoded(event.event)), limits: Limits())
            #expect(again == event, "seed \(seed): \(String(decoding: bytes, as: UTF8.self))")
        }
    }

    private static let values = [
        #""""#, #""x""#, #""ü 😀 \"\\ \/""#, #""\u00e4""#, "true", "false", "0", "-1", "2147483647",
        "null", #""5""#, #""true""#, #""base64""#, #""a b:c""#,
    ]

    private static func structured(_ chance: inout SeededGenerator) -> String {
        var members = [
            #""specversion":"1.0""#, #""id":"\#(chance.pick(0...9)) ü\"""#,
            #""source":"\#(chance.pick(["/s", "urn:x:1", "https://a/?b=%20#c", "s"]))""#,
            #""type":"t""#,
        ]
        if chance.chance(40) { members.append(#""time":"2018-04-05T17:31:00.5+02:00""#) }
        if chance.chance(30) { members.append(#""partitionkey":"k \#(chance.pick(0...3))""#) }
        if chance.chance(30) { members.append(#""subject":"s""#) }
        if chance.chance(30) { members.append(#""datacontenttype":"text/xml""#) }
        for name in 0..<chance.pick(0...4) {
            members.append("\"e\(name)\":\(chance.pick(values))")
        }
        switch chance.pick(0...3) {
        case 0: members.append(#""data":\#(chance.pick(values))"#)
        case 1: members.append(#""data": { "a" : [ 1.0e400, "\ud800" ] } "#)
        case 2: members.append(#""data_base64":"\#(chance.pick(["", "AA==", "AAEC"]))""#)
        default: break
        }
        members.shuffle(using: &chance)
        return "{\(members.joined(separator: chance.pick([",", " , ", ",\n"])))}"
    }

    /// What any publisher may have sent, also what looks like a CloudEvent.
    private static func plain(_ chance: inout SeededGenerator) -> NewEvent {
        let names = [
            "specversion", "source", "type", "id", "time", "data", "subject", "Upper", "a-b", "x1",
            "sluice.data", "sluice.types", "sluicecursor", "partitionkey", "", "ü",
        ]
        let texts = [
            "1.0", "/s", "t", "", "x", "none", "base64", "x1:integer", "x1:boolean", "7", "true",
            "a\nb", "\u{85}", "2018-04-05T17:31:00Z",
        ]
        var attributes = JSONWriter()
        attributes.raw("{")
        for (index, name) in names.shuffled(using: &chance).prefix(chance.pick(0...7)).enumerated()
        {
            if index > 0 { attributes.raw(",") }
            attributes.member(name, chance.pick(texts))
        }
        attributes.raw("}")
        return NewEvent(
            data: utf8(chance.pick(["1", "null", "\"AAEC\"", "[1, 2]", "\"x\""])),
            key: chance.chance(30) ? chance.pick(["k", "a\tb"]) : nil,
            eventID: chance.chance(60) ? chance.pick(["e", "a\nb"]) : nil,
            attributes: chance.chance(80) ? attributes.bytes : nil)
    }
}
