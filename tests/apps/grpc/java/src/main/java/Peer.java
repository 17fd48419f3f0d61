// SPDX-License-Identifier: Apache-2.0

import io.grpc.CallOptions;
import io.grpc.HandlerRegistry;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.Server;
import io.grpc.ServerCallHandler;
import io.grpc.ServerMethodDefinition;
import io.grpc.Status;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/** gRPC's own library for Java, over Netty, at both ends: ../../../../README.md. */
public final class Peer {
  private static final int PARTS = 5;
  private static final List<String> KINDS = List.of("Unary", "ServerStream", "ClientStream", "Both",
      "NotFound", "Internal", "Denied", "Unknown");
  private static final Map<String, Status> FAILING = Map.of("NotFound", Status.NOT_FOUND,
      "Internal", Status.INTERNAL, "Denied", Status.PERMISSION_DENIED);
  private static final Map<String, MethodType> TYPES = Map.of(
      "ServerStream", MethodType.SERVER_STREAMING, "Cancel", MethodType.SERVER_STREAMING,
      "ClientStream", MethodType.CLIENT_STREAMING, "Both", MethodType.BIDI_STREAMING);

  /** Messages are bytes. */
  private static final class Raw implements MethodDescriptor.Marshaller<byte[]> {
    @Override
    public InputStream stream(byte[] value) {
      return new ByteArrayInputStream(value);
    }

    @Override
    public byte[] parse(InputStream stream) {
      try {
        return stream.readAllBytes();
      } catch (IOException error) {
        throw new UncheckedIOException(error);
      }
    }
  }

  private static MethodDescriptor<byte[], byte[]> method(String name, String kind) {
    return MethodDescriptor.newBuilder(new Raw(), new Raw()).setFullMethodName(name)
        .setType(TYPES.getOrDefault(kind, MethodType.UNARY)).build();
  }

  private static String kindOf(String name) {
    return name.substring(name.lastIndexOf('/') + 1).split("_")[0];
  }

  // --- server ---

  private static void unary(byte[] request, StreamObserver<byte[]> answer, String kind) {
    if (FAILING.containsKey(kind)) {
      answer.onError(FAILING.get(kind).withDescription("as asked").asRuntimeException());
      return;
    }
    if (kind.equals("Slow")) {
      sleep(1000);
    }
    answer.onNext(request);
    answer.onCompleted();
  }

  private static void serverStream(byte[] request, StreamObserver<byte[]> answer, String kind) {
    if (kind.equals("Cancel")) {
      ((ServerCallStreamObserver<byte[]>) answer).setOnCancelHandler(() -> { });
      answer.onNext(request);
      return;
    }
    for (int i = 0; i < PARTS; i++) {
      answer.onNext(request);
    }
    answer.onCompleted();
  }

  private static StreamObserver<byte[]> requests(StreamObserver<byte[]> answer, boolean collect) {
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    return new StreamObserver<>() {
      @Override
      public void onNext(byte[] part) {
        if (collect) {
          all.writeBytes(part);
        } else {
          answer.onNext(part);
        }
      }

      @Override
      public void onError(Throwable error) { }

      @Override
      public void onCompleted() {
        if (collect) {
          answer.onNext(all.toByteArray());
        }
        answer.onCompleted();
      }
    };
  }

  private static ServerCallHandler<byte[], byte[]> handler(String kind) {
    switch (TYPES.getOrDefault(kind, MethodType.UNARY)) {
      case SERVER_STREAMING:
        return ServerCalls.asyncServerStreamingCall((request, answer) -> serverStream(request, answer, kind));
      case CLIENT_STREAMING:
        return ServerCalls.asyncClientStreamingCall(answer -> requests(answer, true));
      case BIDI_STREAMING:
        return ServerCalls.asyncBidiStreamingCall(answer -> requests(answer, false));
      default:
        return ServerCalls.asyncUnaryCall((request, answer) -> unary(request, answer, kind));
    }
  }

  private static void serve(int port) throws Exception {
    HandlerRegistry registry = new HandlerRegistry() {
      @Override
      public ServerMethodDefinition<?, ?> lookupMethod(String name, String authority) {
        String kind = kindOf(name);
        return kind.equals("Unknown") ? null : ServerMethodDefinition.create(method(name, kind), handler(kind));
      }
    };
    Server server = NettyServerBuilder.forAddress(new InetSocketAddress("127.0.0.1", port))
        .fallbackHandlerRegistry(registry).build().start();
    server.awaitTermination();
  }

  // --- client ---

  private static void sleep(int milliseconds) {
    try {
      Thread.sleep(milliseconds);
    } catch (InterruptedException error) {
      Thread.currentThread().interrupt();
    }
  }

  /** The status that the library tells of one call. */
  private static String one(ManagedChannel channel, String kind, int number) throws Exception {
    MethodDescriptor<byte[], byte[]> method = method("weft.Test/" + kind + "_" + number, kind);
    var call = channel.newCall(method, CallOptions.DEFAULT.withDeadlineAfter(
        kind.equals("Slow") ? 300 : 30000, TimeUnit.MILLISECONDS));
    CompletableFuture<Status> told = new CompletableFuture<>();
    StreamObserver<byte[]> answer = new StreamObserver<>() {
      @Override
      public void onNext(byte[] part) {
        if (kind.equals("Cancel")) {
          call.cancel("as asked", null);
        }
      }

      @Override
      public void onError(Throwable error) {
        told.complete(Status.fromThrowable(error));
      }

      @Override
      public void onCompleted() {
        told.complete(Status.OK);
      }
    };
    byte[] message = new byte[100];
    Arrays.fill(message, (byte) 'x');
    if (method.getType() == MethodType.UNARY) {
      ClientCalls.asyncUnaryCall(call, message, answer);
    } else if (method.getType() == MethodType.SERVER_STREAMING) {
      ClientCalls.asyncServerStreamingCall(call, message, answer);
    } else {
      StreamObserver<byte[]> out = method.getType() == MethodType.CLIENT_STREAMING
          ? ClientCalls.asyncClientStreamingCall(call, answer) : ClientCalls.asyncBidiStreamingCall(call, answer);
      for (int i = 0; i < PARTS; i++) {
        out.onNext(message);
      }
      out.onCompleted();
    }
    return told.get().getCode().name();
  }

  private static void call(int port, int count, int threads) throws Exception {
    ManagedChannel channel = NettyChannelBuilder.forAddress("127.0.0.1", port).usePlaintext().build();
    ExecutorService pool = Executors.newFixedThreadPool(threads);
    Map<String, Integer> counts = new TreeMap<>();
    for (int n = 0; n < count; n++) {
      int number = n;
      for (String kind : KINDS) {
        pool.submit(() -> {
          String told = kind + " " + one(channel, kind, number);
          synchronized (counts) {
            counts.merge(told, 1, Integer::sum);
          }
          return null;
        });
      }
    }
    pool.shutdown();
    pool.awaitTermination(60, TimeUnit.SECONDS);
    for (int n = 0; n < 3; n++) {
      counts.merge("Slow " + one(channel, "Slow", n), 1, Integer::sum);
      counts.merge("Cancel " + one(channel, "Cancel", n), 1, Integer::sum);
    }
    sleep(1200); // until the slow ones are over at the server, too
    channel.shutdown().awaitTermination(5, TimeUnit.SECONDS);
    StringBuilder json = new StringBuilder();
    counts.forEach((told, n) -> json.append(json.length() > 0 ? ", " : "").append('"').append(told).append("\": ").append(n));
    System.out.println("{" + json + "}");
  }

  public static void main(String[] words) throws Exception {
    if (words[0].equals("serve")) {
      serve(Integer.parseInt(words[1]));
    } else {
      call(Integer.parseInt(words[1]), Integer.parseInt(words[2]), Integer.parseInt(words[3]));
    }
  }
}
