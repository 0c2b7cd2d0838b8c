// Runs Azurite for as long as the parent process lives: the parent holds our standard input open, and its end, however it came about,
// stops Azurite in order. Ctrl-C in a terminal reaches this process too; it is ignored, because the programs that use the storage
// must stop first, and the parent knows when they have.
const once = process.once.bind(process);
process.once = (event, listener) => (event === "SIGINT" ? process : once(event, listener));
process.on("SIGINT", () => {});

process.stdin.resume();
process.stdin.on("end", () => process.emit("SIGTERM"));
process.stdin.on("error", () => process.emit("SIGTERM"));

const [entry] = process.argv.splice(2, 1);
process.argv[1] = entry;
require(entry);
