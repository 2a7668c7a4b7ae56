internal import ArgumentParser
internal import SluiceClient

/// The settings of a topic, as `create` and `alter` take them.
struct TopicSettingOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Keep events this long, or 'unlimited' or 'default'.", valueName: "duration"))
    var retainAge: String?

    @Option(
        help: ArgumentHelp(
            "Keep this many events, or 'unlimited' or 'default'.", valueName: "number"))
    var retainCount: String?

    @Option(
        help: ArgumentHelp(
            "Keep this many bytes, or 'unlimited' or 'default'.", valueName: "size"))
    var retainBytes: String?

    @Option(help: ArgumentHelp("The most bytes of one event, or 'default'.", valueName: "size"))
    var eventBytes: String?

    @Option(
        help: ArgumentHelp(
            "For who reads too slowly: replay, conflate, drop_oldest, disconnect or 'default'.",
            valueName: "policy"))
    var overflow: String?

    @Option(help: ArgumentHelp("What the topic is for.", valueName: "text"))
    var description: String?

    var options: TopicOptions {
        TopicOptions(
            retainAge: retainAge, retainCount: retainCount, retainBytes: retainBytes,
            eventBytes: eventBytes, overflow: overflow, description: description)
    }
}
