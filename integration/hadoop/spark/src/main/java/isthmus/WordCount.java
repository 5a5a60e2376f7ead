package isthmus;

import java.io.IOException;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaSparkContext;
import scala.Tuple2;

/**
 * Counts the words of text files. A word is a longest run of letters and digits, in lower case.
 *
 * <p>Arguments: the file to write ("-" for standard output), then one or more files or folders to read. Writes
 * "# total N", "# distinct N", then one line "word, tab, count" for each word, most frequent first, equal counts by
 * code point.
 */
public final class WordCount {
  private static final Pattern WORD = Pattern.compile("[\\p{L}\\p{N}]+");

  private WordCount() {}

  public static void main(String[] args) throws IOException {
    if (args.length < 2) {
      System.err.println("usage: WordCount <output file or -> <input>...");
      System.exit(2);
    }
    String inputs = String.join(",", Arrays.copyOfRange(args, 1, args.length));
    try (JavaSparkContext context = new JavaSparkContext(new SparkConf().setAppName("WordCount"))) {
      List<Tuple2<String, Long>> counts =
          new ArrayList<>(
              context
                  .textFile(inputs, context.defaultParallelism())
                  .flatMap(line -> words(line).iterator())
                  .mapToPair(word -> new Tuple2<>(word, 1L))
                  .reduceByKey(Long::sum, context.defaultParallelism())
                  .collect());
      write(args[0], counts);
    }
  }

  private static List<String> words(String line) {
    List<String> words = new ArrayList<>();
    Matcher matcher = WORD.matcher(line);
    while (matcher.find()) {
      words.add(matcher.group().toLowerCase(Locale.ROOT));
    }
    return words;
  }

  private static void write(String path, List<Tuple2<String, Long>> counts) throws IOException {
    counts.sort(Comparator.comparing((Tuple2<String, Long> entry) -> -entry._2()).thenComparing(Tuple2::_1));
    long total = counts.stream().mapToLong(Tuple2::_2).sum();
    try (Output output = Output.to(path)) {
      PrintStream out = output.stream();
      out.println("# total " + total);
      out.println("# distinct " + counts.size());
      counts.forEach(entry -> out.println(entry._1() + "\t" + entry._2()));
    }
    System.err.println("WordCount total " + total + " distinct " + counts.size());
  }
}
