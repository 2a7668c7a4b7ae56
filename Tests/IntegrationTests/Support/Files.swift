import Foundation

/// The repository's folder.
let repository = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../..").standardizedFileURL

/// Real input that is not a part of this repository: it is read where it lies beside it.
let sharedData = repository.appending(path: "../shared/data").standardizedFileURL

func readBytes(_ url: URL) throws -> [UInt8] { [UInt8](try Data(contentsOf: url)) }

func readFile(_ path: String) -> String? {
    FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
}

func writeFile(_ bytes: some Sequence<UInt8>, to path: String) throws {
    try Data(bytes).write(to: URL(filePath: path))
}

extension [UInt8] {
    /// The lines, without their ends and without empty ones.
    var lines: [[UInt8]] { split(separator: 0x0A).map(Array.init) }

    var text: String { String(decoding: self, as: UTF8.self) }
}
