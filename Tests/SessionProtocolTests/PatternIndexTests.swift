import RepeatableChance
import EventModel
import Testing

@testable import SessionProtocol

@Suite("An index of patterns") struct PatternIndexTests {
    @Test func `finds a match if and only if one of the patterns matches, at random`() throws {
        var generator = SeededGenerator()
        let words = ["a", "b", "c", "sluice"]
        func segments(_ choices: [String]) -> [String] {
            (0..<Int.random(in: 1...4, using: &generator)).map { _ in
                choices.randomElement(using: &generator) ?? "a"
            }
        }
        for _ in 0..<300 {
            var patterns: [TopicPattern] = []
            for _ in 0..<Int.random(in: 0...6, using: &generator) {
                var parts = segments(words + ["*", "*"])
                if Bool.random(using: &generator) { parts[parts.count - 1] = ">" }
                patterns.append(try TopicPattern(parts.joined(separator: ".")))
            }
            let index = PatternIndex(patterns.map { ($0, 1) })
            for _ in 0..<10 {
                let name = try TopicName(segments(words).joined(separator: "."))
                let found = index.match(name)?.pattern
                let fits = patterns.contains { $0.matches(name) }
                #expect((found != nil) == fits, "\(name) in \(patterns), seed \(generator.seed)")
                #expect(found?.matches(name) ?? true, "\(name), seed \(generator.seed)")
            }
        }
    }
}
