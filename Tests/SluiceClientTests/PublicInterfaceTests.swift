import FoundationEssentials
import Testing

@Suite("What is public in the client") struct PublicInterfaceTests {
    private static let sources =
        "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        + "/Sources/SluiceClient"

    @Test func `has a comment that says what it is, each declaration`() throws {
        var bare: [String] = []
        var count = 0
        let files = try FileManager.default.subpathsOfDirectory(atPath: Self.sources)
        for file in files where file.hasSuffix(".swift") {
            let data = try #require(
                FileManager.default.contents(atPath: "\(Self.sources)/\(file)"))
            var before: Substring = ""
            for line in String(decoding: data, as: UTF8.self).split(separator: "\n") {
                let text = line.trimmingPrefix { $0 == " " }
                if text.hasPrefix("public ") {
                    count += 1
                    if !before.hasPrefix("///") { bare.append("\(file): \(text)") }
                }
                if !text.hasPrefix("@") { before = text }
            }
        }
        #expect(bare.isEmpty)
        #expect(count > 100)
    }
}
