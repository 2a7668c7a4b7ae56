import EventModel
import Foundation
import Testing

/// The cases of nst/JSONTestSuite, which are not a part of this repository: they are read where
/// they lie beside it.
private let suite = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../../shared/data/json-test-suite").standardizedFileURL

private let suiteFiles: [String] =
    ((try? FileManager.default.contentsOfDirectory(atPath: suite.path)) ?? [])
    .filter { $0.hasSuffix(".json") }.sorted()

@Suite(
    "The public JSON test suite",
    .enabled(if: !suiteFiles.isEmpty, "it does not lie beside the repository"))
struct JSONTestSuiteTests {
    @Test func `is judged as its file names say`() throws {
        for file in suiteFiles {
            let bytes = [UInt8](try Data(contentsOf: suite.appending(path: file)))
            var scanner = JSONScanner(bytes)
            let isAccepted = (try? scanner.wholeText()) != nil
            switch file.prefix(2) {
            case "y_": #expect(isAccepted, "\(file)")
            case "n_": #expect(!isAccepted, "\(file)")
            default: break  // Either is right, as long as we come here.
            }
        }
    }
}
