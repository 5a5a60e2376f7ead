package isthmus;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/** Where a job writes its answer: standard output, or a file that appears only when it is whole. */
final class Output implements AutoCloseable {
  private final PrintStream stream;
  private final Path partial;
  private final Path target;

  private Output(PrintStream stream, Path partial, Path target) {
    this.stream = stream;
    this.partial = partial;
    this.target = target;
  }

  /** Opens the file at path, or standard output for "-". */
  static Output to(String path) throws IOException {
    if (path.equals("-")) {
      return new Output(System.out, null, null);
    }
    Path target = Path.of(path);
    Path partial = target.resolveSibling(target.getFileName() + ".partial");
    return new Output(new PrintStream(Files.newOutputStream(partial), false, StandardCharsets.UTF_8), partial, target);
  }

  PrintStream stream() {
    return stream;
  }

  @Override
  public void close() throws IOException {
    stream.flush();
    if (target == null) {
      return;
    }
    boolean isBroken = stream.checkError();
    stream.close();
    if (isBroken) {
      throw new IOException("cannot write " + partial);
    }
    Files.move(partial, target, StandardCopyOption.ATOMIC_MOVE);
  }
}
