// Command s3gateway serves one bucket out of a folder, to whoever signs with one key.
//
// s3gateway FOLDER ADDRESS BUCKET, with ROOT_ACCESS and ROOT_SECRET in the environment.
package main

import (
	"log"
	"os"
	"path/filepath"

	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3api"
	"github.com/versity/versitygw/s3api/middlewares"
)

func main() {
	folder, address, bucket := os.Args[1], os.Args[2], os.Args[3]
	objects, about := filepath.Join(folder, "objects"), filepath.Join(folder, "about")
	for _, made := range []string{filepath.Join(objects, bucket), about} {
		if err := os.MkdirAll(made, 0o700); err != nil {
			log.Fatal(err)
		}
	}
	storer, err := meta.NewSideCar(about)
	if err != nil {
		log.Fatal(err)
	}
	backend, err := posix.New(objects, storer, posix.PosixOpts{SideCarDir: about})
	if err != nil {
		log.Fatal(err)
	}
	access, secret := os.Getenv("ROOT_ACCESS"), os.Getenv("ROOT_SECRET")
	account := auth.Account{Access: access, Secret: secret, Role: auth.RoleAdmin}
	root := middlewares.RootUserConfig{Access: access, Secret: secret}
	server, err := s3api.New(
		backend, root, "us-east-1", auth.NewIAMServiceSingle(account), nil, nil, nil, nil,
		s3api.WithQuiet(), s3api.WithConcurrencyLimiter(1000, 1000),
	)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(server.ServeMultiPort([]string{address}))
}
