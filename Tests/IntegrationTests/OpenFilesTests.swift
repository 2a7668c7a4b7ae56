import Foundation
import Testing

extension EndToEnd {
    @Suite("The open files of a broker") struct OpenFilesTests {
        @Test func `are as many as the system allows, and it says when they are few`() async throws
        {
            let program = SluiceProgram(connectionFile: TestDirectories.make() + "/c.json")
            let run = try SluiceRun(
                program,
                [
                    "-c", #"ulimit -Sn 256 && ulimit -Hn 4096 && exec "$0" "$@""#,
                    SluiceRun.executable.path, "serve", "--listen", "https://127.0.0.1:0",
                    "--data-dir", TestDirectories.make(),
                ], input: [], environment: [:], executable: URL(filePath: "/bin/sh"))
            try await eventually("the first steps") { run.output.text.contains("Or with curl") }
            #expect(run.errors.contains("few files may be open"))
            #expect(run.errors.contains("allowed=4096"), "\(run.errors)")
            let limits = try #require(readFile("/proc/\(run.pid)/limits"))
            let line = try #require(
                limits.split(separator: "\n").first { $0.contains("open files") })
            #expect(line.split(separator: " ").prefix(5).suffix(2) == ["4096", "4096"])
            run.interrupt()
            #expect(try await run.end().status == 0)
        }
    }
}
