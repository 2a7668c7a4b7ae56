import FoundationEssentials
import Testing

@Suite("The picture of the way of an event") struct WayOfAnEventTests {
    private static let repository = #filePath.split(separator: "/").dropLast(3).joined(
        separator: "/")

    /// What stands in backticks and looks like a path of a source file.
    private static func files(named page: String) throws -> [String] {
        let data = try #require(FileManager.default.contents(atPath: "/\(repository)/\(page)"))
        let text = String(decoding: data, as: UTF8.self)
        return text.split(separator: "`").map(String.init).filter { part in
            (part.hasSuffix(".swift") || part.hasSuffix(".sql")) && part.contains("/")
                && !part.contains(where: \.isWhitespace) && !part.contains("NNNN")
        }
    }

    @Test(arguments: [
        ("Sources/Documentation.docc/WayOfAnEvent.md", "Sources/", 40),
        ("Sources/Documentation.docc/Developing.md", "", 6),
        ("Sources/Documentation.docc/LogFunctions.md", "", 2),
        ("README.md", "", 5), ("CONTRIBUTING.md", "", 1),
    ]) func `names only files that exist`(page: String, root: String, atLeast count: Int) throws {
        let files = try Self.files(named: page)
        #expect(files.count >= count)
        let missing = files.filter { file in
            !FileManager.default.fileExists(atPath: "/\(Self.repository)/\(root)\(file)")
        }
        #expect(missing == [])
    }
}
