import FoundationEssentials
import Testing

/// That nothing is imported beyond what is declared is the build's own check.
@Suite("The package's description") struct PackageTests {
    private struct Target {
        var name: String
        var path: String
        var isExecutable: Bool
        /// Names of modules.
        var dependencies: [String]
    }

    private static let repository =
        "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")

    private static func text(_ path: String) throws -> String {
        let data = try #require(FileManager.default.contents(atPath: "\(repository)/\(path)"))
        return String(decoding: data, as: UTF8.self)
    }

    private static func targets() throws -> [Target] {
        let text = try text("Package.swift")
        var modules: [Substring: String] = [:]
        let product = /let (\w+) = Target\.Dependency\.product\(\s*name: "(\w+)"/
        for match in text.matches(of: product) { modules[match.1] = String(match.2) }
        let target =
            #/
            \.(target|testTarget|executableTarget)\(\s*name:\ "([\w\-]+)",([^;]*?)
            (?:swiftSettings|publicHeadersPath):
            /#
        return text.matches(of: target).map { match in
            let list = match.3.firstMatch(of: /dependencies: \[([^\]]*)\]/)?.1 ?? ""
            let names = list.matches(of: /"?\w+"?/).map(\.0)
            let path = match.3.firstMatch(of: /path: "([^"]+)"/)?.1
            let usual = "\(match.1 == "testTarget" ? "Tests" : "Sources")/\(match.2)"
            return Target(
                name: String(match.2), path: path.map(String.init) ?? usual,
                isExecutable: match.1 == "executableTarget",
                dependencies: names.map { modules[$0] ?? $0.filter { $0 != "\"" } })
        }
    }

    private static func imports(under path: String) throws -> Set<String> {
        let folder = "\(repository)/\(path)"
        let files = try FileManager.default.subpathsOfDirectory(atPath: folder).filter {
            $0.hasSuffix(".swift")
        }
        var found: Set<String> = []
        for file in files {
            for line in try text("\(path)/\(file)").split(separator: "\n") {
                let words = line.split(separator: " ")
                guard let place = words.firstIndex(of: "import"), place + 1 < words.count,
                    line.first != " "
                else { continue }
                // `import struct Module.Name` names the kind first.
                let name = words.count > place + 2 ? words[place + 2] : words[place + 1]
                found.insert(String(name.prefix { $0 != "." }))
            }
        }
        return found
    }

    @Test func `declares no dependency that a target does not import`() throws {
        let targets = try Self.targets()
        #expect(targets.count > 30)
        // A test may run a program without being able to import it.
        let programs = Set(targets.filter(\.isExecutable).map(\.name))
        for target in targets {
            let imports = try Self.imports(under: target.path)
            let unused = target.dependencies.filter { name in
                !imports.contains(name) && !programs.contains(name)
            }
            #expect(unused == [], "\(target.name)")
        }
    }
}
