internal import BrokerRuntime

/// Reads a small text file for the configuration.
func configurationText(path: String) throws(ConfigurationError) -> String {
    do throws(CommandFailure) {
        let bytes = try InputFile(path: path).readAll(bytesMax: 1 << 20)
        return String(decoding: bytes, as: UTF8.self)
    } catch {
        throw ConfigurationError(error.message, remedy: error.remedy)
    }
}
