// SPDX-License-Identifier: Apache-2.0

// gRPC's own library for C++ at both ends: ../README.md.
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr int kParts = 5;

const std::map<std::string, grpc::StatusCode> kFailing = {
	{"NotFound", grpc::NOT_FOUND},
	{"Internal", grpc::INTERNAL},
	{"Denied", grpc::PERMISSION_DENIED},
	{"Unknown", grpc::UNIMPLEMENTED},
};

const std::map<grpc::StatusCode, std::string> kNames = {
	{grpc::OK, "OK"},
	{grpc::CANCELLED, "CANCELLED"},
	{grpc::UNKNOWN, "UNKNOWN"},
	{grpc::DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED"},
	{grpc::NOT_FOUND, "NOT_FOUND"},
	{grpc::PERMISSION_DENIED, "PERMISSION_DENIED"},
	{grpc::UNIMPLEMENTED, "UNIMPLEMENTED"},
	{grpc::INTERNAL, "INTERNAL"},
	{grpc::UNAVAILABLE, "UNAVAILABLE"},
};

std::string KindOf(const std::string &method)
{
	std::string name = method.substr(method.rfind('/') + 1);
	return name.substr(0, name.find('_'));
}

// One call at the server: reads all that comes, and writes as many messages as its kind asks.
class Reactor : public grpc::ServerGenericBidiReactor {
public:
	explicit Reactor(std::string kind) : kind_(std::move(kind))
	{
		auto failing = kFailing.find(kind_);
		if (failing != kFailing.end())
			Finish(grpc::Status(failing->second, "as asked"));
		else
			StartRead(&message_);
	}

	void OnReadDone(bool ok) override
	{
		if (ok && (kind_ == "ClientStream"))
			StartRead(&message_);
		else if (ok)
			Begin(kind_ == "ServerStream" ? kParts : 1);
		else if (kind_ == "ClientStream")
			Begin(1);
		else
			Finish(grpc::Status::OK);
	}

	void OnWriteDone(bool ok) override
	{
		if (ok && --left_ > 0)
			StartWrite(&message_);
		else if (ok && kind_ == "Both")
			StartRead(&message_);
		else if (kind_ != "Cancel")
			Finish(grpc::Status::OK);
	}

	void OnCancel() override
	{
		if (kind_ == "Cancel")
			Finish(grpc::Status::CANCELLED);
	}

	void OnDone() override { delete this; }

private:
	void Begin(int times)
	{
		left_ = times;
		if (kind_ == "Slow")
			std::thread([this] {
				std::this_thread::sleep_for(std::chrono::seconds(1));
				StartWrite(&message_);
			}).detach();
		else
			StartWrite(&message_);
	}

	std::string kind_;
	grpc::ByteBuffer message_;
	int left_ = 0;
};

class Service : public grpc::CallbackGenericService {
	grpc::ServerGenericBidiReactor *CreateReactor(grpc::GenericCallbackServerContext *context) override
	{
		return new Reactor(KindOf(context->method()));
	}
};

void Serve(const std::string &port)
{
	Service service;
	grpc::ServerBuilder builder;
	builder.AddListeningPort("127.0.0.1:" + port, grpc::InsecureServerCredentials());
	builder.RegisterCallbackGenericService(&service);
	builder.BuildAndStart()->Wait();
}

// One call at the client.
class Call : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
public:
	Call(grpc::GenericStub *stub, const std::string &kind, int number) : kind_(kind)
	{
		std::string text(100, 'x');
		grpc::Slice slice(text);
		auto limit = std::chrono::milliseconds(kind == "Slow" ? 300 : 30000);

		out_ = grpc::ByteBuffer(&slice, 1);
		left_ = kind == "ClientStream" || kind == "Both" ? kParts : 1;
		context_.set_deadline(std::chrono::system_clock::now() + limit);
		stub->PrepareBidiStreamingCall(&context_, "/weft.Test/" + kind + "_" + std::to_string(number),
					       {}, this);
		StartRead(&in_);
		Write();
		StartCall();
	}

	void OnWriteDone(bool ok) override
	{
		if (ok && --left_ > 0)
			Write();
	}

	void OnReadDone(bool ok) override
	{
		if (!ok)
			return;
		if (kind_ == "Cancel")
			context_.TryCancel();
		StartRead(&in_);
	}

	void OnDone(const grpc::Status &status) override
	{
		std::lock_guard<std::mutex> lock(mutex_);
		code_ = status.error_code();
		done_ = true;
		condition_.notify_all();
	}

	grpc::StatusCode Wait()
	{
		std::unique_lock<std::mutex> lock(mutex_);
		condition_.wait(lock, [this] { return done_; });
		return code_;
	}

private:
	void Write()
	{
		if (left_ == 1)
			StartWriteLast(&out_, grpc::WriteOptions());
		else
			StartWrite(&out_);
	}

	std::string kind_;
	grpc::ClientContext context_;
	grpc::ByteBuffer in_, out_;
	int left_;
	std::mutex mutex_;
	std::condition_variable condition_;
	bool done_ = false;
	grpc::StatusCode code_ = grpc::UNKNOWN;
};

void Run(const std::string &port, int count, int threads)
{
	grpc::GenericStub stub(grpc::CreateChannel("127.0.0.1:" + port, grpc::InsecureChannelCredentials()));
	std::vector<std::pair<std::string, int>> work;
	std::map<std::string, int> counts;
	std::vector<std::thread> workers;
	std::mutex mutex;

	for (int n = 0; n < count; n++)
		for (const char *kind : {"Unary", "ServerStream", "ClientStream", "Both", "NotFound", "Internal",
					 "Denied", "Unknown"})
			work.emplace_back(kind, n);
	auto one = [&](const std::string &kind, int number) {
		grpc::StatusCode code = Call(&stub, kind, number).Wait();
		std::lock_guard<std::mutex> lock(mutex);
		counts[kind + " " + kNames.at(code)]++;
	};
	for (int i = 0; i < threads; i++)
		workers.emplace_back([&, i] {
			for (size_t n = (size_t)i; n < work.size(); n += (size_t)threads)
				one(work[n].first, work[n].second);
		});
	for (auto &worker : workers)
		worker.join();
	for (int n = 0; n < 3; n++) {
		one("Slow", n);
		one("Cancel", n);
	}
	std::this_thread::sleep_for(std::chrono::milliseconds(1200)); // until the slow ones are over at the server
	const char *comma = "{";
	for (const auto &[told, n] : counts) {
		std::printf("%s\"%s\": %d", comma, told.c_str(), n);
		comma = ", ";
	}
	std::printf("}\n");
}

} // namespace

int main(int, char **words)
{
	if (std::strcmp(words[1], "serve") == 0)
		Serve(words[2]);
	else
		Run(words[2], std::atoi(words[3]), std::atoi(words[4]));
	return 0;
}
