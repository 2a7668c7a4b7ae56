import Glibc
import TopicCommands

/// The executable.
@main struct Sluice {
    static func main() async {
        exit(await CommandLineProgram.run(Array(CommandLine.arguments.dropFirst())))
    }
}
