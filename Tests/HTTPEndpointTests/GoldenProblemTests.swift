import EventModel
import FoundationEssentials
import Testing

@testable import HTTPEndpoint

/// A file of `Tests/Golden/problems` for each code of an error.
@Suite("The golden problems") struct GoldenProblemTests {
    @Test func `are what is answered, byte for byte, one for each code`() throws {
        let tests = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
        let path = "/\(tests)/Golden/problems"
        let files = try FileManager.default.contentsOfDirectory(atPath: path)
        #expect(Set(files) == Set(ErrorCode.allCases.map { "\($0.rawValue).json" }))
        for code in ErrorCode.allCases {
            let data = try #require(
                FileManager.default.contents(atPath: "\(path)/\(code.rawValue).json"))
            let body = ProblemDocument.example(of: code).body
            #expect(String(decoding: body, as: UTF8.self) == String(decoding: data, as: UTF8.self))
        }
    }
}
